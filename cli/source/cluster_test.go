package source

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// answers play an API server whose user may read the Services of the namespace shop, which come in two chunks. It has no kinds of
// Daymark, and no ServiceCIDRs, as before Kubernetes 1.33.
func answers(w http.ResponseWriter, r *http.Request) {
	send := func(status int, value any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(value)
	}
	failure := func(status int32, reason metav1.StatusReason) {
		send(int(status), metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Code: status, Reason: reason})
	}
	list := corev1.ServiceList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceList"}}
	switch path := r.URL.Path; {
	case strings.HasPrefix(path, "/apis/daymark.io/"), path == "/apis/networking.k8s.io/v1/servicecidrs":
		failure(http.StatusNotFound, metav1.StatusReasonNotFound)
	case path == "/api/v1/namespaces/broken/services":
		failure(http.StatusInternalServerError, metav1.StatusReasonInternalError)
	case path != "/api/v1/namespaces/shop/services":
		failure(http.StatusForbidden, metav1.StatusReasonForbidden)
	case r.URL.Query().Get("continue") == "":
		list.Continue = "more"
		list.Items = []corev1.Service{*service("shop", "b")}
		send(http.StatusOK, list)
	default:
		list.Items = []corev1.Service{*service("shop", "a")}
		send(http.StatusOK, list)
	}
}

func TestCluster_ReadsWhatTheUserMay(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(answers))
	t.Cleanup(server.Close)
	from, err := NewCluster(&rest.Config{Host: server.URL}, func() time.Time { return written })
	if err != nil {
		t.Fatal(err)
	}
	found, err := from.Read(t.Context(), append(Queries("shop", Services, Nodes), Query{Kind: Pools})...)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(keys(found), ", "); got != "Service shop/a, Service shop/b" {
		t.Errorf("read %s", got)
	}
	if len(Of[*corev1.Service](found)) != 2 || found.Gap(Services).Instead != "shop" {
		t.Errorf("the Services: %d, %+v", len(Of[*corev1.Service](found)), found.Gap(Services))
	}
	if gap := found.Gap(Nodes); gap == nil || gap.String() != "you may not list nodes" {
		t.Errorf("the nodes: %v", gap)
	}
	if err := found.Installed(); err == nil || !strings.Contains(err.Error(), "is Daymark installed?") {
		t.Errorf("Daymark's kinds are missing: %v", err)
	}
	if found, err = from.Read(t.Context(), Query{Kind: ServiceCIDRs}); err != nil || len(found.Gaps) > 0 {
		t.Errorf("of an API server that knows no ServiceCIDRs: %v, and what is missing: %v", err, found.Gaps)
	}
	if _, err := from.Read(t.Context(), Query{Kind: Services, Namespace: "broken"}); err == nil {
		t.Error("a failure of the API server reads as no Services")
	}
}
