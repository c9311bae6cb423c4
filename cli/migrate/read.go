package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/cli/validate"
)

// readFiles reads the objects of some files and directories; - is the standard input. Services are where kubectl would apply them.
func (o *options) readFiles() (all []unstructured.Unstructured, err error) {
	files, err := validate.Files(o.files, true)
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		in := o.In
		if name != "-" {
			file, err := os.Open(name)
			if err != nil {
				return nil, err
			}
			defer func() { _ = file.Close() }() // It was only read.
			in = file
		}
		found, left, err := parse(in)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, found...)
		o.sayLeft(name, left)
	}
	own, _, err := o.Namespace()
	if err != nil {
		own = metav1.NamespaceDefault // files are read without a kubeconfig
	}
	for i := range all {
		if isService(&all[i]) && all[i].GetNamespace() == "" {
			all[i].SetNamespace(own)
		}
	}
	return all, nil
}

// parse returns the objects of a file, of whatever kinds, and why documents of it are left out.
func parse(in io.Reader) (all []unstructured.Unstructured, left []error, err error) {
	err = source.ReadAmongOthers(in, func(_ schema.GroupVersionKind, document json.RawMessage) error {
		var object unstructured.Unstructured
		if err := utiljson.Unmarshal(document, &object.Object); err != nil { // whole numbers stay such
			return err
		}
		all = append(all, object)
		return nil
	}, func(document json.RawMessage, why error) {
		var values any
		if document != nil && utiljson.Unmarshal(document, &values) == nil {
			if found := ofValues(values); found != nil {
				all = append(all, found...)
				return
			}
		}
		left = append(left, why)
	})
	return all, left, err
}

// sayLeft says what of a file was left out. What is no object cannot be one of another provider; what cannot be read may be.
func (o *options) sayLeft(name string, left []error) {
	if len(left) == 0 {
		return
	}
	worst := left[0]
	if i := slices.IndexFunc(left, func(err error) bool { return !errors.Is(err, source.ErrNoObject) }); i >= 0 {
		worst, o.unreadable = left[i], true
	}
	what := "left out"
	if len(left) > 1 {
		what = fmt.Sprintf("%d documents are left out, one because", len(left))
	}
	o.Warn("%s: %s: %v", name, what, worst)
}

// kinds of MetalLB in a cluster. A BGPPeer is read in its newest version first: the older one has fewer fields.
var kinds = []source.Kind{
	kind("v1beta1", "IPAddressPool", "ipaddresspools"), kind("v1beta1", "AddressPool", "addresspools"),
	kind("v1beta1", "L2Advertisement", "l2advertisements"), kind("v1beta1", "BGPAdvertisement", "bgpadvertisements"),
	kind("v1beta2", "BGPPeer", "bgppeers"), kind("v1beta1", "BGPPeer", "bgppeers"),
	kind("v1beta1", "BFDProfile", "bfdprofiles"), kind("v1beta1", "Community", "communities"),
}

// frrConfigurations of frr-k8s, which reads those of its own namespace: users have some beside those that MetalLB makes.
var frrConfigurations = source.Kind{
	GroupVersionKind: schema.GroupVersionKind{Group: "frrk8s.metallb.io", Version: "v1beta1", Kind: "FRRConfiguration"}, Resource: "frrconfigurations", Namespaced: true,
}

func kind(version, name, resource string) source.Kind {
	return source.Kind{GroupVersionKind: schema.GroupVersionKind{Group: "metallb.io", Version: version, Kind: name}, Resource: resource, Namespaced: true}
}

// queriesOfOthers are for the objects of kube-vip, PureLB and Cilium, and all Services. Of those with two versions both are asked for.
func queriesOfOthers() []source.Query {
	other := func(group, version, name, resource string, namespaced bool) source.Query {
		gvk := schema.GroupVersionKind{Group: group, Version: version, Kind: name}
		return source.Query{Kind: source.Kind{GroupVersionKind: gvk, Resource: resource, Namespaced: namespaced}}
	}
	return []source.Query{
		{Kind: source.Services},
		{Kind: source.ConfigMaps, Namespace: "kube-system", Name: "kubevip", Optional: true},
		other("cilium.io", "v2", "CiliumLoadBalancerIPPool", "ciliumloadbalancerippools", false),
		other("cilium.io", "v2alpha1", "CiliumLoadBalancerIPPool", "ciliumloadbalancerippools", false),
		other("cilium.io", "v2alpha1", "CiliumL2AnnouncementPolicy", "ciliuml2announcementpolicies", false),
		other("purelb.io", "v2", "ServiceGroup", "servicegroups", true),
		other("purelb.io", "v1", "ServiceGroup", "servicegroups", true),
	}
}

// queriesOfMetalLB are for its objects, and all Services.
func (o *options) queriesOfMetalLB() []source.Query {
	queries := []source.Query{{Kind: source.Services}, {Kind: source.ConfigMaps, Namespace: o.metallb, Optional: true}}
	for _, kind := range kinds {
		queries = append(queries, source.Query{Kind: kind, Namespace: o.metallb})
	}
	for _, namespace := range []string{o.metallb, "frr-k8s-system"} {
		queries = append(queries, source.Query{Kind: frrConfigurations, Namespace: namespace})
	}
	return queries
}

// readCluster reads what queries find. Who may not read all Services is shown those of the namespace instead.
func (o *options) readCluster(ctx context.Context, queries []source.Query) ([]unstructured.Unstructured, error) {
	from, err := o.Source()
	if err != nil {
		return nil, err
	}
	own, _, err := o.Namespace()
	if err != nil {
		return nil, err
	}
	if err := o.FindSystem(ctx); err != nil {
		return nil, err
	}
	queries[0].Instead = own
	read, err := from.Read(ctx, queries...)
	if err != nil {
		return nil, err
	}
	if err := read.Seen(); err != nil {
		return nil, err
	}
	gaps := slices.DeleteFunc(read.Gaps, func(gap source.Gap) bool { return gap.Why == source.NotInstalled })
	o.WarnOfGaps(gaps)
	o.partial = len(gaps) > 0
	var all []unstructured.Unstructured
	for _, item := range read.Items {
		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(item)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", source.Name(item), err)
		}
		all = append(all, unstructured.Unstructured{Object: fields})
	}
	return all, nil
}
