package informer

import (
	"reflect"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// SpeakerOptions are the Options of the speaker of a node. Of the Speaker objects it reads its own alone: those of all nodes are
// written so often that to watch them all from every node would cost the API server the square of the nodes. Of Services it keeps the
// values alone, and of these what is announced by.
//
// It watches Services of every type, though it announces those of type LoadBalancer alone. With a selector for these the API server
// would send a Service that changes its type as deleted, and a Lister would not learn in which version: but up to which version a
// speaker has withdrawn is what the finalizer of such a Service waits for.
func SpeakerOptions(scheme *runtime.Scheme, namespace string, classes lb.Classes, node string) cache.Options {
	options := Options(scheme, namespace, classes)
	options.ByObject[&v1beta1.Speaker{}] = cache.ByObject{
		Field: fields.OneTermEqualSelector("metadata.name", node), Transform: options.DefaultTransform,
	}
	return KeepParsed(options, announcedService)
}

// notAnnounced is the value of all Services that a speaker has nothing to do with, so that they take no memory.
var notAnnounced = new(lb.Service).WithoutRequest()

// announcedService is what a speaker reads of a Service: not what it requests, which is the controller's.
func announcedService(from *corev1.Service) *lb.Service {
	s := lb.ParseService(from)
	if !s.LoadBalancer && !s.Finalizer {
		return notAnnounced
	}
	s = s.WithoutRequest()
	s.Class, s.Provider = *intern(s.Class), *intern(s.Provider)
	for i := range s.Labels {
		s.Labels[i].Key = *intern(s.Labels[i].Key)
	}
	s.Provenance.Class = *intern(s.Provenance.Class)
	for i := range s.Provenance.Allocations {
		pool := &s.Provenance.Allocations[i].Pool
		*pool = *intern(*pool) // it is a part of the whole message
	}
	return s
}

// sameButText reports whether two versions of a Service differ in nothing but the conditions that are for people. The first time that the
// controller writes them the Service becomes managed. Whether an address is disputed counts for who comes to hold it next, so it is read then.
func sameButText(before, now *lb.Service) bool {
	same := *before
	same.Version, same.Managed, same.Disputed = now.Version, now.Managed, now.Disputed
	return reflect.DeepEqual(&same, now)
}
