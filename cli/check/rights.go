package check

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/cli/view"
	"github.com/daymark-lb/daymark/config/rbac"
)

// Right is something that somebody must be allowed to do.
type Right struct {
	// Account is the ServiceAccount of one of Daymark's programs; empty: the user.
	Account string
	Verb    string
	Group   string
	// Resource, with a subresource: services/status.
	Resource string
	// Name of the one object that it is about; empty: all.
	Name string
	// Namespaced: in the namespace that Daymark runs in, or will.
	Namespaced, Allowed bool
}

// wantedRights of who installs with values; nil: with those of the chart.
func wantedRights(with *values) []Right {
	cluster := func(group, resource string) Right { return Right{Verb: "create", Group: group, Resource: resource} }
	in := func(group, resource string) Right {
		return Right{Verb: "create", Group: group, Resource: resource, Namespaced: true}
	}
	rights := []Right{
		cluster("", "namespaces"), cluster("apiextensions.k8s.io", "customresourcedefinitions"),
		cluster("rbac.authorization.k8s.io", "clusterroles"), cluster("rbac.authorization.k8s.io", "clusterrolebindings"),
		cluster("admissionregistration.k8s.io", "validatingadmissionpolicies"),
		in("apps", "deployments"), in("apps", "daemonsets"), in("", "serviceaccounts"), in("rbac.authorization.k8s.io", "roles"),
	}
	if with != nil && with.FlowControl.Enabled {
		const group = "flowcontrol.apiserver.k8s.io"
		rights = append(rights, cluster(group, "prioritylevelconfigurations"), cluster(group, "flowschemas"))
	}
	return rights
}

// daemonRights are what the manifests give to the programs. All resources of a group are all of Daymark's.
func daemonRights() (rights []Right, err error) {
	roles, err := rbac.Roles()
	if err != nil {
		return nil, fmt.Errorf("read the rights of the programs: %w", err)
	}
	for _, role := range roles {
		for i := range role.Rules {
			rule := &role.Rules[i]
			for _, resource := range resources(rule.APIGroups[0], rule.Resources) {
				rights = append(rights, rightsTo(rule, Right{
					Account: role.ServiceAccount, Group: rule.APIGroups[0], Resource: resource, Namespaced: role.Namespaced,
				})...)
			}
		}
	}
	return rights, nil
}

// installedAs gives rights the names that the programs have in a cluster: a kustomization may have put a prefix before those of the manifests.
func installedAs(rights []Right, c *view.Cluster) {
	const controllerAccount, speakerAccount, daemonSets = "daymark-controller", "daymark-speaker", "daemonsets"
	controller, speakers := c.ControllerSet(), c.SpeakerSet()
	for i := range rights {
		r := &rights[i]
		switch {
		case r.Account == controllerAccount && controller != nil:
			r.Account = cmp.Or(controller.Spec.Template.Spec.ServiceAccountName, r.Account)
		case r.Account == speakerAccount && speakers != nil:
			if r.Account = cmp.Or(speakers.Spec.Template.Spec.ServiceAccountName, r.Account); r.Resource == daemonSets && r.Name != "" {
				r.Name = speakers.Name
			}
		}
	}
}

// rightsTo are those that a rule gives to a resource: each verb, on each object that the rule names, if it names any.
func rightsTo(rule *rbacv1.PolicyRule, to Right) (rights []Right) {
	names := rule.ResourceNames
	if len(names) == 0 {
		names = []string{""}
	}
	for _, to.Verb = range rule.Verbs {
		for _, to.Name = range names {
			rights = append(rights, to)
		}
	}
	return rights
}

func resources(group string, named []string) (all []string) {
	if group != v1beta1.GroupVersion.Group || !slices.Contains(named, "*") {
		return named
	}
	for _, kind := range append([]source.Kind{source.Speakers}, source.Configuration...) {
		all = append(all, kind.Resource)
	}
	return all
}

// reviewsAtOnce is how many questions about rights the API server is asked at the same time.
const reviewsAtOnce = 6

// review asks the API server which rights there are. An error is also that the user may not ask.
func review(ctx context.Context, api client.Client, rights []Right, namespace string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(reviewsAtOnce)
	for i := range rights {
		group.Go(func() (err error) {
			rights[i].Allowed, err = rights[i].ask(ctx, api, namespace)
			return err
		})
	}
	return group.Wait()
}

func (r *Right) ask(ctx context.Context, api client.Client, namespace string) (allowed bool, err error) {
	if r.Account == "" {
		review := &authorizationv1.SelfSubjectAccessReview{}
		review.Spec.ResourceAttributes = r.attributes(namespace)
		err = api.Create(ctx, review)
		return review.Status.Allowed, err
	}
	review := &authorizationv1.SubjectAccessReview{}
	review.Spec = authorizationv1.SubjectAccessReviewSpec{
		ResourceAttributes: r.attributes(namespace), User: "system:serviceaccount:" + namespace + ":" + r.Account,
		Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
	}
	err = api.Create(ctx, review)
	return review.Status.Allowed, err
}

func (r *Right) attributes(namespace string) *authorizationv1.ResourceAttributes {
	a := &authorizationv1.ResourceAttributes{Verb: r.Verb, Group: r.Group, Name: r.Name}
	a.Resource, a.Subresource, _ = strings.Cut(r.Resource, "/")
	if r.Namespaced {
		a.Namespace = namespace
	}
	return a
}

// what the right is to, in words.
func (r *Right) what(namespace string) string {
	name, subresource, _ := strings.Cut(r.Resource, "/")
	name = strings.TrimSuffix(name+"."+r.Group, ".")
	if subresource != "" {
		name += "/" + subresource
	}
	if r.Namespaced {
		name += " in namespace " + namespace
	}
	return name
}

func missingRights(in *Input) (found []Finding) {
	for i := range in.Rights {
		if r := &in.Rights[i]; !r.Allowed {
			found = append(found, Finding{Severity: Error, Message: fmt.Sprintf("you may not %s %s", r.Verb, r.what(in.System))})
		}
	}
	return found
}

// missingDaemonRights are one finding for each ServiceAccount and resource.
func missingDaemonRights(in *Input) (found []Finding) {
	verbs, order := map[[2]string][]string{}, [][2]string{}
	for i := range in.DaemonRights {
		r := &in.DaemonRights[i]
		if r.Allowed {
			continue
		}
		key := [2]string{r.Account, r.what(in.System)}
		if verbs[key] == nil {
			order = append(order, key)
		}
		verbs[key] = append(verbs[key], r.Verb)
	}
	for _, key := range order {
		found = append(found, Finding{
			Severity: Error, Object: "ServiceAccount " + in.System + "/" + key[0],
			Message: fmt.Sprintf("it may not %s %s", strings.Join(verbs[key], ", "), key[1]),
		})
	}
	return found
}
