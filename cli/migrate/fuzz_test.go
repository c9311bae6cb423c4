package migrate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzConvert: whatever objects of another provider a file has, what is printed is read again as just the objects that were
// made: no text of theirs ends a comment or begins a document.
func FuzzConvert(f *testing.F) {
	for _, name := range []string{"every-field", "impossible", "old", "others", "services", "external"} {
		text, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
		if err != nil {
			f.Fatal(err)
		}
		for document := range strings.SplitSeq(string(text), "\n---\n") {
			f.Add(document) // one by one, for small inputs find more
		}
		f.Add(string(text))
	}
	const metallb = "apiVersion: metallb.io/v1beta1\nkind: "
	f.Add(metallb + "IPAddressPool\nmetadata: {name: \"a\\n---\\nb\"}\nspec: {addresses: 5, \"x\\u2028y\": 1}\n")
	f.Add(metallb + "BGPPeer\nmetadata: 1\nspec: {passwordSecret: [], bfdProfile: {}, nodeSelectors: [1]}\n")
	f.Add(metallb + "L2Advertisement\nmetadata: {name: [], annotations: 1}\nspec: []\n")
	f.Add("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\ndata: {config: \"address-pools: [{name: 1, addresses: {}}]\"}\n")
	f.Add("configInline: {address-pools: [{name: a, addresses: [1]}]}\n---\n- 1\n---\n\"x\"\n---\na: [\n---\npeers: [1]\naddress-pools: []\n")
	f.Add("apiVersion: v1\nkind: Service\nmetadata: {name: s, annotations: {metallb.io/loadBalancerIPs: \"1,\\n2\"}}\nspec: 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		objects, _, err := parse(strings.NewReader(text))
		if err != nil {
			return
		}
		results := []*Result{Convert(objects, "daymark-system")}
		if r, _, err := External(objects); err == nil {
			results = append(results, r)
		}
		for _, r := range results {
			printed, err := r.YAML()
			if err != nil {
				t.Fatal(err)
			}
			again, left, err := parse(strings.NewReader(printed))
			if err != nil || left != nil || len(again) != len(r.Items) {
				t.Fatalf("%d objects are read as %d, error %v:\n%s", len(r.Items), len(again), err, printed)
			}
			for i := range again {
				if was := r.Items[i].Object; again[i].GetKind() != was.GetKind() || again[i].GetName() != was.GetName() {
					t.Errorf("%s %q is read as %s %q", was.GetKind(), was.GetName(), again[i].GetKind(), again[i].GetName())
				}
			}
		}
	})
}
