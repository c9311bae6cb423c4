package source

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// compacted is an API server whose etcd forgets the version of a list while that is read.
type compacted struct {
	client.Reader
	asked []string
}

func (c *compacted) List(_ context.Context, into client.ObjectList, given ...client.ListOption) error {
	options := (&client.ListOptions{}).ApplyOptions(given)
	c.asked = append(c.asked, fmt.Sprintf("%d %s", options.Limit, options.Continue))
	if options.Continue != "" {
		return apierrors.NewResourceExpired("the provided continue parameter is too old")
	}
	services := into.(*corev1.ServiceList)
	services.Items = []corev1.Service{{ObjectMeta: metav1.ObjectMeta{Name: "a"}}}
	if options.Limit > 0 {
		services.Continue = "more"
		return nil
	}
	services.Items = append(services.Items, corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "b"}})
	return nil
}

func TestCluster_ReadsAllAtOnceWhenItsPlaceInAListHasExpired(t *testing.T) {
	server := &compacted{}
	found, err := (&cluster{patience: time.Minute}).list(t.Context(), server, Query{Kind: Services})
	if err != nil || len(found) != 2 {
		t.Errorf("%d objects, %v", len(found), err)
	}
	if got := strings.Join(server.asked, ", "); got != "500 , 500 more, 0 " {
		t.Errorf("asked for %s", got)
	}
}
