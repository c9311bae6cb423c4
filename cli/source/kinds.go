package source

import (
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// Kind is a kind of object and how the API server calls it. Objects of a kind that Scheme does not know are read as
// unstructured.Unstructured.
type Kind struct {
	schema.GroupVersionKind
	// Resource in the plural.
	Resource   string
	Namespaced bool
}

// Name of the resource as kubectl writes it: services, ippools.daymark.io.
func (k Kind) Name() string {
	return schema.GroupResource{Group: k.Group, Resource: k.Resource}.String()
}

// The kinds of Kubernetes that commands read.
var (
	Services       = Kind{corev1.SchemeGroupVersion.WithKind("Service"), "services", true}
	EndpointSlices = Kind{discoveryv1.SchemeGroupVersion.WithKind("EndpointSlice"), "endpointslices", true}
	Events         = Kind{eventsv1.SchemeGroupVersion.WithKind("Event"), "events", true}
	Pods           = Kind{corev1.SchemeGroupVersion.WithKind("Pod"), "pods", true}
	ConfigMaps     = Kind{corev1.SchemeGroupVersion.WithKind("ConfigMap"), "configmaps", true}
	Nodes          = Kind{corev1.SchemeGroupVersion.WithKind("Node"), "nodes", false}
	Namespaces     = Kind{corev1.SchemeGroupVersion.WithKind("Namespace"), "namespaces", false}
	ServiceCIDRs   = Kind{networkingv1.SchemeGroupVersion.WithKind("ServiceCIDR"), "servicecidrs", false}
	Deployments    = Kind{appsv1.SchemeGroupVersion.WithKind("Deployment"), "deployments", true}
	DaemonSets     = Kind{appsv1.SchemeGroupVersion.WithKind("DaemonSet"), "daemonsets", true}
	Leases         = Kind{coordinationv1.SchemeGroupVersion.WithKind("Lease"), "leases", true}
	Definitions    = Kind{apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"), "customresourcedefinitions", false}
)

// Daymark's own kinds.
var (
	Pools             = own("IPAddressPool", "ipaddresspools")
	Reservations      = own("IPReservation", "ipreservations")
	L2Advertisements  = own("L2Advertisement", "l2advertisements")
	BGPAdvertisements = own("BGPAdvertisement", "bgpadvertisements")
	Peers             = own("BGPPeer", "bgppeers")
	BFDProfiles       = own("BFDProfile", "bfdprofiles")
	Communities       = own("Community", "communities")
	Speakers          = own("Speaker", "speakers")
)

// Configuration is what users write for Daymark.
var Configuration = []Kind{Pools, Reservations, L2Advertisements, BGPAdvertisements, Peers, BFDProfiles, Communities}

// World is all that what Daymark decides depends on, but for the Secrets of passwords, which no command reads.
var World = append([]Kind{Services, EndpointSlices, Nodes, Namespaces, ServiceCIDRs, Speakers}, Configuration...)

// mayBeMissing says whether an API server that Daymark supports does not know the kind: nothing is hidden from the reader then, there are
// none. Kubernetes has ServiceCIDRs since 1.33; before, no object says which addresses Services have within the cluster.
func (k Kind) mayBeMissing() bool { return k == ServiceCIDRs }

// own kinds are all cluster-scoped.
func own(kind, resource string) Kind {
	return Kind{v1beta1.GroupVersion.WithKind(kind), resource, false}
}

// Scheme knows the Go types of the kinds above.
var Scheme = func() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(apiextensionsv1.AddToScheme(scheme))
	utilruntime.Must(v1beta1.AddToScheme(scheme))
	return scheme
}()
