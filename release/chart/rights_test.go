package chart

import (
	"log/slog"
	"reflect"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/controller/crds"
	"github.com/daymark-lb/daymark/e2e/lab"
)

var kinds = []string{"ipaddresspools", "ipreservations", "l2advertisements", "bgpadvertisements", "bgppeers", "bfdprofiles", "communities"}

func TestRights_OfEachIdentity(t *testing.T) {
	c := newCluster(t)
	files, err := Render(folder, map[string]any{"networkPolicy": map[string]any{"enabled": false}})
	must(t, err)
	c.apply(t, objects(t, files)...)
	viewer, editor, tenant := identity{user: "viewer"}, identity{user: "editor"}, identity{user: "tenant"}
	for who, role := range map[string]string{"viewer": "daymark-view", "editor": "daymark-edit"} {
		must(t, c.Create(t.Context(), &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: who}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: who}},
		}))
	}
	must(t, c.Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "tenant"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "daymark-edit"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "tenant"}},
	}))
	lab.Eventually(t, timeout, "the roles are known", func() error {
		if !c.may(t, editor, "create daymark.io/ipaddresspools") || !c.may(t, account("crds"), "patch apiextensions.k8s.io/customresourcedefinitions - bgppeers.daymark.io") {
			return errNotYet
		}
		return nil
	})
	for _, test := range []struct {
		name string
		who  identity
		may  []string
		not  []string
	}{
		{
			"who views", viewer, each("list", kinds, "get daymark.io/speakers"),
			append(each("create", kinds), each("delete", kinds, "patch daymark.io/speakers", "get /secrets "+Namespace, "list /services default")...),
		},
		{
			"who edits", editor, append(each("create", kinds), each("delete", kinds, "delete daymark.io/speakers")...),
			append(each("patch", suffixed(kinds, "/status")), "create daymark.io/speakers", "patch daymark.io/speakers/status", "get /secrets "+Namespace,
				"patch apps/daemonsets "+Namespace),
		},
		{"who edits a namespace", tenant, nil, append(each("create", kinds), each("list", kinds, "delete daymark.io/speakers")...)},
		{
			"the controller", account("controller"),
			[]string{"patch /services/status default", "list daymark.io/bgppeers"},
			append(each("create", kinds), each("delete", kinds, "update /services default", "patch /services default", "delete /services default", "get /secrets default",
				"get /secrets kube-system", "delete /secrets "+Namespace, "create /pods "+Namespace, "patch /nodes", "create daymark.io/speakers",
				"delete coordination.k8s.io/leases "+Namespace, "get coordination.k8s.io/leases kube-system",
				"patch apiextensions.k8s.io/customresourcedefinitions - bgppeers.daymark.io")...),
		},
		{
			"a speaker", account("speaker"),
			[]string{
				"create daymark.io/speakers", "get /secrets " + Namespace, "list daymark.io/bgppeers", "get /pods " + Namespace,
				"get apps/daemonsets " + Namespace + " daymark-speaker",
			},
			append(each("create", kinds), each("patch", suffixed(kinds, "/status"), "patch /services/status default", "patch /services default", "get /secrets default",
				"create /secrets "+Namespace, "patch /nodes", "patch /nodes/status", "create /pods "+Namespace, "delete /pods "+Namespace, "list /pods "+Namespace,
				"get apps/daemonsets "+Namespace+" another", "list apps/daemonsets "+Namespace, "patch apps/daemonsets "+Namespace+" daymark-speaker",
				"create discovery.k8s.io/endpointslices default", "delete daymark.io/speakers", "create events.k8s.io/events default",
				"get coordination.k8s.io/leases kube-system")...),
		},
		{
			"who applies the definitions", account("crds"),
			[]string{"create apiextensions.k8s.io/customresourcedefinitions - bgppeers.daymark.io", "get apiextensions.k8s.io/customresourcedefinitions - bgppeers.daymark.io"},
			append(each("list", kinds), "delete apiextensions.k8s.io/customresourcedefinitions - bgppeers.daymark.io",
				"patch apiextensions.k8s.io/customresourcedefinitions - bgppeers.metallb.io", "create apiextensions.k8s.io/customresourcedefinitions - x.example.com",
				"patch apiextensions.k8s.io/customresourcedefinitions/status - bgppeers.daymark.io", "get /secrets "+Namespace, "list /services default"),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, what := range test.may {
				if !c.may(t, test.who, what) {
					t.Errorf("may not %s", what)
				}
			}
			for _, what := range test.not {
				if c.may(t, test.who, what) {
					t.Errorf("may %s", what)
				}
			}
		})
	}
	t.Run("the definitions are applied with these rights alone", func(t *testing.T) { definitionsAreApplied(t, c) })
}

// Who has the roles of the cluster has those of Daymark with them: to see with view, to change with edit, which tenants have in
// namespaces, where these kinds are not.
func TestRights_AreAddedToTheRolesOfTheCluster(t *testing.T) {
	files, err := Render(folder, nil)
	must(t, err)
	found := byKey(objects(t, files))
	const to = "rbac.authorization.k8s.io/aggregate-to-"
	for name, want := range map[string]map[string]string{
		"daymark-view": {to + "view": "true", to + "edit": "true", to + "admin": "true"},
		"daymark-edit": {to + "edit": "true", to + "admin": "true"},
	} {
		role := found["ClusterRole/"+name]
		if role == nil {
			t.Fatalf("there is no ClusterRole %s", name)
		}
		if labels := role.GetLabels(); !reflect.DeepEqual(labels, want) {
			t.Errorf("%s has the labels %v, want %v", name, labels, want)
		}
	}
	for key, object := range found {
		for label := range object.GetLabels() {
			if strings.HasPrefix(label, to) && key != "ClusterRole/daymark-view" && key != "ClusterRole/daymark-edit" {
				t.Errorf("%s is added to a role of the cluster by %s", key, label)
			}
		}
	}
}

// definitionsAreApplied changes one definition and deletes another: both are as they should be again, and objects stay.
func definitionsAreApplied(t *testing.T, c *cluster) {
	c.apply(t, objects(t, []File{{"pool", "apiVersion: daymark.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: lan}\nspec: {addresses: [192.0.2.0/28]}\n"}})...)
	old := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "ipaddresspools.daymark.io"}}
	must(t, c.Get(t.Context(), client.ObjectKeyFromObject(old), old))
	spec := old.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
	delete(spec.Properties, "drain") // as in a version before
	must(t, c.Update(t.Context(), old))
	gone := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "communities.daymark.io"}}
	must(t, c.Delete(t.Context(), gone))
	lab.Eventually(t, timeout, "the definition is gone", func() error {
		if c.Get(t.Context(), client.ObjectKeyFromObject(gone), gone) == nil {
			return errNotYet
		}
		return nil
	})

	config := rest.CopyConfig(c.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: account("crds").user, Groups: account("crds").groups}
	must(t, crds.Apply(t.Context(), config, slog.New(slog.DiscardHandler)))
	must(t, c.Get(t.Context(), client.ObjectKeyFromObject(old), old))
	if _, found := old.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"].Properties["drain"]; !found {
		t.Error("a definition was not brought up to date")
	}
	must(t, c.Get(t.Context(), client.ObjectKeyFromObject(gone), gone))
	pool := objects(t, []File{{"pool", "apiVersion: daymark.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: lan}\n"}})[0]
	must(t, c.Get(t.Context(), client.ObjectKeyFromObject(pool), pool))
}

// each is what a verb does to each kind of ours, and some more.
func each(verb string, resources []string, more ...string) (all []string) {
	for _, resource := range resources {
		all = append(all, verb+" daymark.io/"+resource)
	}
	return append(all, more...)
}

func suffixed(list []string, suffix string) []string {
	return strings.Fields(strings.Join(list, suffix+" ") + suffix)
}
