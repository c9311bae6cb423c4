package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/cli/view"
)

// TestExplain_IsWrongWhereProblemsNameSomething runs each explanation that a problem names, and that of the problem's own object.
func TestExplain_IsWrongWhereProblemsNameSomething(t *testing.T) {
	kinds := map[string]string{"Service": "service", "Speaker": "node", "Node": "node", "IPAddressPool": "pool", "BGPPeer": "peer"}
	for _, cluster := range []string{"broken", "healthy as split", "healthy as unwell", "healthy as nowhere", "healthy as parted", "healthy as alone"} {
		t.Run(cluster, func(t *testing.T) {
			text, _, _ := strings.Cut(do(t, cluster, "problems -o json"), "--- ")
			var list view.ProblemList
			if err := json.Unmarshal([]byte(text), &list); err != nil || len(list.Items) == 0 {
				t.Fatalf("problems are %s: %v", text, err)
			}
			for _, p := range list.Items {
				for _, line := range []string{strings.TrimPrefix(p.Command, "kubectl daymark "), "explain " + kinds[p.Kind] + " " + p.Name + " -n " + p.Namespace} {
					line = strings.TrimSuffix(line, " -n ")
					if !strings.HasPrefix(line, "explain ") || strings.HasPrefix(line, "explain  ") {
						continue
					}
					if said := do(t, cluster, line); !strings.HasSuffix(said, "--- status 1\n") {
						t.Errorf("%s of %s %s, and %s says\n%s", p.Reason, p.Kind, p.Name, line, said)
					}
				}
			}
		})
	}
}

func TestExplain_UnderstandsNamesAsTheyArePrinted(t *testing.T) {
	for line, as := range map[string]string{
		"explain service/web":                         "explain service web",
		"explain svc/web -o json":                     "explain service web -o json",
		"explain shop/api":                            "explain service api -n shop",
		"explain service shop/api":                    "explain service api -n shop",
		"explain svc/shop/api -n shop":                "explain service api -n shop",
		"explain node/n1 -o yaml":                     "explain node n1 -o yaml",
		"explain ipaddresspool.daymark.io/lan":        "explain pool lan",
		"explain bgppeers/tor":                        "explain peer tor",
		"explain address/192.0.2.200":                 "explain address 192.0.2.200",
		"explain ipaddresspool.daymark.io/no-such -w": "explain pool no-such",
	} {
		if got, want := do(t, "healthy", line), do(t, "healthy", as); got != want {
			t.Errorf("%s says\n%s and %s\n%s", line, got, as, want)
		}
	}
	if got := do(t, "healthy", "explain shop/api -n default"); !strings.HasSuffix(got, "--- status 2\n") {
		t.Error(got)
	}
}

func TestExplain_SaysWhereADisputedAddressIsNotAnnounced(t *testing.T) {
	all, err := source.Open(filepath.Join("testdata", "broken.yaml"), now)
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range all.Items {
		if speaker, is := item.(*v1beta1.Speaker); is {
			for i := range speaker.Status.Layer2.Conflicts {
				speaker.Status.Layer2.Conflicts[i].Elsewhere = true
			}
		}
	}
	if got := ask(t, all, "explain address 192.0.2.203"); !strings.Contains(got, "heard on eth0 of node n1, which announces it on other interfaces only") {
		t.Error(got)
	}
}
