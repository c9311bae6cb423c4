package source

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// following plays an API server with one Service, that adds another one as soon as somebody watches. Nodes may not be read, and
// ServiceCIDRs are not known.
func following(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	list := corev1.ServiceList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceList"}, ListMeta: metav1.ListMeta{ResourceVersion: "1"}}
	list.Items = []corev1.Service{*service("shop", "a")}
	switch query := r.URL.Query(); {
	case r.URL.Path == "/api/v1/nodes":
		w.WriteHeader(http.StatusForbidden)
		_ = json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Code: 403, Reason: metav1.StatusReasonForbidden,
		})
	case r.URL.Path == "/apis/networking.k8s.io/v1/servicecidrs":
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Code: 404, Reason: metav1.StatusReasonNotFound,
		})
	case query.Get("sendInitialEvents") != "":
		w.WriteHeader(http.StatusUnprocessableEntity)
		_ = json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Code: 422, Reason: metav1.StatusReasonInvalid,
		})
	case query.Get("watch") == "":
		_ = json.NewEncoder(w).Encode(list)
	default:
		added := service("shop", "b")
		added.ResourceVersion = "2"
		_ = json.NewEncoder(w).Encode(map[string]any{"type": "ADDED", "object": added})
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
}

func TestCluster_FollowsChanges(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(following))
	t.Cleanup(server.Close)
	from, err := NewCluster(&rest.Config{Host: server.URL}, func() time.Time { return written })
	if err != nil {
		t.Fatal(err)
	}
	queries := []Query{{Kind: Services, Namespace: "shop"}, {Kind: Nodes, Optional: true}, {Kind: ServiceCIDRs}}
	all, err := from.Follow(t.Context(), time.Millisecond, queries...)
	if err != nil {
		t.Fatal(err)
	}
	limit := time.After(30 * time.Second)
	for {
		select {
		case objects := <-all:
			if names := keys(objects); len(names) == 2 && names[1] == "Service shop/b" {
				return
			}
		case <-limit:
			t.Fatal("the second Service is not seen")
		}
	}
}
