package source

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

const (
	// chunk is how many objects the API server sends in one answer.
	chunk = 500
	// atOnce is how many lists are read at the same time.
	atOnce = 6
	// Patience is how long the API server has for one answer, unless --request-timeout says otherwise.
	Patience = 30 * time.Second
)

// cluster reads from an API server with the rights of its user.
type cluster struct {
	config *rest.Config
	http   *http.Client
	now    func() time.Time
	// patience is how long the API server has for one answer.
	patience time.Duration
	// poll is the time between two lists of what the user may not watch.
	poll time.Duration

	// asked once for served, the versions in which the API server has kinds of Daymark.
	asked  sync.Once
	served string
}

// NewCluster returns a Source that reads from an API server. It does not connect yet.
func NewCluster(config *rest.Config, now func() time.Time) (Source, error) {
	config = rest.CopyConfig(config)
	if config.QPS == 0 {
		config.QPS, config.Burst = 50, 300
	}
	patience := cmp.Or(config.Timeout, Patience)
	config.Timeout = 0 // It would end watches, too.
	shared, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	return &cluster{config: config, http: shared, now: now, patience: patience, poll: pollInterval}, nil
}

// client that knows the queries' kinds without asking the API server which it has.
func (c *cluster) client(queries []Query) (client.WithWatch, error) {
	mapper := meta.NewDefaultRESTMapper(nil)
	for _, q := range queries {
		scope := meta.RESTScopeRoot
		if q.Kind.Namespaced {
			scope = meta.RESTScopeNamespace
		}
		resource := q.Kind.GroupVersion().WithResource(q.Kind.Resource)
		mapper.AddSpecific(q.Kind.GroupVersionKind, resource, resource, scope)
	}
	return client.NewWithWatch(c.config, client.Options{HTTPClient: c.http, Scheme: Scheme, Mapper: mapper})
}

func (c *cluster) Read(ctx context.Context, queries ...Query) (*Objects, error) {
	reader, err := c.client(queries)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	answers, err := c.readAll(ctx, reader, queries)
	if err != nil {
		return nil, err
	}
	return collect(answers, c.now(), c.config.Host), nil
}

// readAll answers each query.
func (c *cluster) readAll(ctx context.Context, reader client.Reader, queries []Query) ([]answer, error) {
	answers := make([]answer, len(queries))
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, q := range queries {
		group.Go(func() (err error) {
			answers[i], err = c.read(reading, reader, q)
			answers[i].optional, answers[i].resource = q.Optional, q.Kind.Name()
			return err
		})
	}
	err := group.Wait()
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("interrupted: %w", context.Cause(ctx))
	}
	return answers, err
}

// answer to one query.
type answer struct {
	items []runtime.Object
	gap   *Gap
	// resource that was asked for, by name.
	resource string
	// optional: the gap is not told.
	optional bool
	// missing: the API server does not know the kind, and need not.
	missing bool
}

// read the objects of one query.
func (c *cluster) read(ctx context.Context, reader client.Reader, q Query) (answer, error) {
	items, err := c.list(ctx, reader, q)
	if err == nil {
		return answer{items: items}, nil
	}
	gap := &Gap{Resource: q.Kind.Name(), Namespace: q.Namespace}
	switch {
	case apierrors.IsForbidden(err) && q.Namespace == "" && q.Instead != "":
		gap.Why = Forbidden
		q.Namespace, q.Instead = q.Instead, ""
		one, err := c.read(ctx, reader, q)
		if err != nil {
			return answer{}, err
		}
		if one.gap == nil {
			gap.Instead = q.Namespace
		}
		return answer{items: one.items, gap: gap}, nil
	case apierrors.IsForbidden(err):
		gap.Why = Forbidden
	case (apierrors.IsNotFound(err) || meta.IsNoMatchError(err)) && q.Kind.mayBeMissing():
		return answer{missing: true}, nil
	case apierrors.IsNotFound(err) || meta.IsNoMatchError(err):
		gap.Why = NotInstalled
		if q.Kind.Group == v1beta1.GroupVersion.Group {
			c.asked.Do(func() { c.served = c.versions(ctx, q.Kind.Group) })
			gap.Served = c.served
		}
	default:
		return answer{}, c.failure(q.Kind, err)
	}
	return answer{gap: gap}, nil
}

// versions of a group that the API server knows; empty: it knows none, or does not say.
func (c *cluster) versions(ctx context.Context, group string) string {
	asked, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	config := rest.CopyConfig(c.config)
	config.NegotiatedSerializer, config.GroupVersion = clientgoscheme.Codecs.WithoutConversion(), &schema.GroupVersion{}
	api, err := rest.UnversionedRESTClientForConfigAndClient(config, c.http)
	if err != nil {
		return ""
	}
	found := &metav1.APIGroup{}
	if err := api.Get().AbsPath("/apis", group).Do(asked).Into(found); err != nil {
		return ""
	}
	versions := make([]string, len(found.Versions))
	for i := range found.Versions {
		versions[i] = found.Versions[i].Version
	}
	return strings.Join(versions, ", ")
}

// list all objects of a query, in chunks.
func (c *cluster) list(ctx context.Context, reader client.Reader, q Query) ([]runtime.Object, error) {
	options, err := q.options()
	if err != nil {
		return nil, err
	}
	var all []runtime.Object
	for {
		into := q.Kind.list()
		err := c.chunk(ctx, reader, into, options)
		if apierrors.IsResourceExpired(err) && options.Continue != "" { // etcd was compacted in between: all of it at once, as of now
			all, options.Continue, options.Limit = nil, "", 0
			continue
		}
		if err != nil {
			return nil, err
		}
		items, err := meta.ExtractList(into)
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			item.GetObjectKind().SetGroupVersionKind(q.Kind.GroupVersionKind)
		}
		all = append(all, items...)
		if options.Continue = into.GetContinue(); options.Continue == "" {
			return all, nil
		}
	}
}

// chunk reads one answer. An API server that says nothing, or again and again that it may be asked later, has so long in all.
func (c *cluster) chunk(ctx context.Context, reader client.Reader, into client.ObjectList, options *client.ListOptions) error {
	asked, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	err := reader.List(asked, into, options)
	if err != nil && asked.Err() != nil && ctx.Err() == nil {
		return errSilent
	}
	return err
}

func (q Query) options() (*client.ListOptions, error) {
	options := &client.ListOptions{Namespace: q.Namespace, Limit: chunk}
	selector, err := labels.Parse(q.Labels)
	if err != nil {
		return nil, fmt.Errorf("labels of %s: %w", q.Kind.Name(), err)
	}
	options.LabelSelector = selector
	if options.FieldSelector, err = fields.ParseSelector(q.Fields); err != nil {
		return nil, fmt.Errorf("fields of %s: %w", q.Kind.Name(), err)
	}
	if q.Name != "" {
		options.FieldSelector = fields.AndSelectors(options.FieldSelector, fields.OneTermEqualSelector("metadata.name", q.Name))
	}
	return options, nil
}

// list returns an empty list of the kind.
func (k Kind) list() client.ObjectList {
	kind := schema.GroupVersionKind{Group: k.Group, Version: k.Version, Kind: k.Kind + "List"}
	if empty, err := Scheme.New(kind); err == nil {
		if list, ok := empty.(client.ObjectList); ok {
			return list
		}
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind)
	return list
}
