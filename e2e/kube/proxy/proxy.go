// Package proxy is a small service proxy for machines without the nft program, which kube-proxy needs to reach the kernel: it
// writes the same kind of address translation into the kernel itself. It serves cluster IPs and load balancer addresses,
// TCP and UDP, and honours externalTrafficPolicy.
//
// It refuses what the lab does not need: node ports, session affinity, and health-check ports, which leaves those to
// whoever else wants to serve them.
package proxy

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// Main runs the program with its arguments and gives its exit status.
func Main(arguments []string) int {
	flags := flag.NewFlagSet("service-proxy", flag.ExitOnError)
	kubeconfig := flags.String("kubeconfig", "", "kubeconfig file")
	node := flags.String("node-name", "", "the node it serves")
	health := flags.String("health-bind-address", ":10256", "where /healthz is served after the first sync")
	_ = flags.Parse(arguments) // exits by itself
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, *kubeconfig, *node, *health); err != nil {
		fmt.Fprintln(os.Stderr, "service-proxy:", err)
		return 1
	}
	return 0
}

// listers reads the caches.
type listers struct {
	node     string
	services corelisters.ServiceLister
	slices   discoverylisters.EndpointSliceLister
}

func run(ctx context.Context, kubeconfig, node, health string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	services, slices := factory.Core().V1().Services(), factory.Discovery().V1().EndpointSlices()
	wake := make(chan struct{}, 1)
	for _, informer := range []cache.SharedIndexInformer{services.Informer(), slices.Informer()} {
		if _, err := informer.AddEventHandler(waker(wake)); err != nil {
			return fmt.Errorf("watch: %w", err)
		}
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	return loop(ctx, listers{node, services.Lister(), slices.Lister()}, wake, health)
}

func waker(wake chan struct{}) cache.ResourceEventHandler {
	f := func() {
		select {
		case wake <- struct{}{}:
		default: // it will look anyway
		}
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { f() }, UpdateFunc: func(_, _ any) { f() }, DeleteFunc: func(any) { f() },
	}
}

func loop(ctx context.Context, l listers, wake chan struct{}, health string) error {
	var kernel kernel
	for healthy := false; ; {
		frontends, err := l.frontends()
		if err == nil {
			err = kernel.set(frontends)
		}
		if err != nil {
			return err
		}
		if !healthy {
			healthy = true
			go serveHealth(health)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		}
	}
}

func serveHealth(address string) {
	server := &http.Server{Addr: address, ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })}
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintln(os.Stderr, "service-proxy: serve health:", err)
	}
}

// frontends are all addresses of all Services with those endpoints that this node may send to.
func (l listers) frontends() (all []frontend, err error) {
	services, err := l.services.List(labels.Everything())
	if err != nil {
		return nil, fmt.Errorf("list services: %w", err)
	}
	for _, s := range services {
		slices, err := l.slices.EndpointSlices(s.Namespace).List(labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: s.Name}))
		if err != nil {
			return nil, fmt.Errorf("list endpoint slices: %w", err)
		}
		local := s.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal
		for _, port := range s.Spec.Ports {
			for _, ip := range s.Spec.ClusterIPs {
				all = appendFrontend(all, ip, port, l.endpoints(slices, port.Name, false), true)
			}
			for _, ingress := range s.Status.LoadBalancer.Ingress {
				all = appendFrontend(all, ingress.IP, port, l.endpoints(slices, port.Name, local), !local)
			}
		}
	}
	return all, nil
}

func (l listers) endpoints(slices []*discoveryv1.EndpointSlice, port string, localOnly bool) (all []backend) {
	for _, slice := range slices {
		for _, p := range slice.Ports {
			if p.Port == nil || p.Name == nil || *p.Name != port {
				continue
			}
			for _, e := range slice.Endpoints {
				ready := e.Conditions.Ready == nil || *e.Conditions.Ready
				local := e.NodeName != nil && *e.NodeName == l.node
				if ready && (local || !localOnly) {
					all = append(all, backend{e.Addresses[0], uint16(*p.Port)}) //nolint:gosec // a port
				}
			}
		}
	}
	return all
}
