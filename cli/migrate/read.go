package migrate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	yamlreader "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/daymark-lb/daymark/cli/source"
)

// files reads the objects of some files; - is the standard input.
func (o *options) readFiles() (all []unstructured.Unstructured, err error) {
	for _, name := range o.files {
		in := o.In
		if name != "-" {
			file, err := os.Open(name)
			if err != nil {
				return nil, err
			}
			defer func() { _ = file.Close() }() // It was only read.
			in = file
		}
		found, err := parse(in)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, found...)
	}
	return all, nil
}

// parse the documents of a file. A List has its items in their place.
func parse(in io.Reader) (all []unstructured.Unstructured, err error) {
	documents := yamlreader.NewYAMLReader(bufio.NewReader(in))
	for number := 1; ; number++ {
		text, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		var object map[string]any
		if err == nil {
			text, err = yaml.YAMLToJSON(text)
		}
		if err == nil {
			err = utiljson.Unmarshal(text, &object) // whole numbers stay such
		}
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", number, err)
		}
		if err := items(object, &all); err != nil {
			return nil, fmt.Errorf("document %d: %w", number, err)
		}
	}
}

func items(object map[string]any, all *[]unstructured.Unstructured) error {
	one := unstructured.Unstructured{Object: object}
	if !one.IsList() {
		if object != nil {
			*all = append(*all, one)
		}
		return nil
	}
	return one.EachListItem(func(item runtime.Object) error {
		if below, is := item.(*unstructured.Unstructured); is {
			*all = append(*all, *below)
		}
		return nil
	})
}

// kinds of MetalLB in a cluster. A BGPPeer is read in its newest version first: the older one has fewer fields.
var kinds = []source.Kind{
	kind("v1beta1", "IPAddressPool", "ipaddresspools"), kind("v1beta1", "AddressPool", "addresspools"),
	kind("v1beta1", "L2Advertisement", "l2advertisements"), kind("v1beta1", "BGPAdvertisement", "bgpadvertisements"),
	kind("v1beta2", "BGPPeer", "bgppeers"), kind("v1beta1", "BGPPeer", "bgppeers"),
	kind("v1beta1", "BFDProfile", "bfdprofiles"), kind("v1beta1", "Community", "communities"),
}

func kind(version, name, resource string) source.Kind {
	return source.Kind{GroupVersionKind: schema.GroupVersionKind{Group: "metallb.io", Version: version, Kind: name}, Resource: resource, Namespaced: true}
}

// readCluster reads MetalLB's objects of a cluster, and all Services.
func (o *options) readCluster(ctx context.Context) ([]unstructured.Unstructured, error) {
	from, err := o.Source()
	if err != nil {
		return nil, err
	}
	own, _, err := o.Namespace()
	if err != nil {
		return nil, err
	}
	queries := []source.Query{{Kind: source.Services, Instead: own}, {Kind: source.ConfigMaps, Namespace: o.metallb, Optional: true}}
	for _, kind := range kinds {
		queries = append(queries, source.Query{Kind: kind, Namespace: o.metallb})
	}
	read, err := from.Read(ctx, queries...)
	if err != nil {
		return nil, err
	}
	o.WarnOfGaps(slices.DeleteFunc(read.Gaps, func(gap source.Gap) bool { return gap.Why == source.NotInstalled }))
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
