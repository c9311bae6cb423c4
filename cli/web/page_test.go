package web

import (
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/source"
)

// paths are one of each sort of page.
var paths = []string{
	"/", "/services", "/services?q=web&state=Announced", "/services/shop/api", "/services/shop/late", "/services/shop/theirs", "/services/none/none",
	"/nodes/n1", "/nodes/n2", "/nodes/n3", "/nodes/none", "/problems", "/timeline", "/none",
}

// plain is the text of a page without its tags, in one line.
func plain(page string) string {
	_, main, _ := strings.Cut(page, "<main")
	return strings.Join(strings.Fields(html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(main, " "))), " ")
}

// Who may list no nodes and speakers is not told that there are none.
func TestPages_DoNotCountWhatIsNotSeen(t *testing.T) {
	all := objects(t, "healthy")
	all.Items = nil
	for _, kind := range []source.Kind{source.Nodes, source.Speakers} {
		all.Gaps = append(all.Gaps, source.Gap{Resource: kind.Name(), Why: source.Forbidden})
	}
	body := plain(get(t, newHandler(newKeeper(environment(), all)), "/").Body.String())
	if !strings.Contains(body, "Speakers ready not seen") {
		t.Error(body)
	}
}

func TestPages_Show(t *testing.T) {
	for _, test := range []struct {
		cluster, path string
		status        int
		wanted        []string
	}{
		{"healthy", "/", 200, []string{"All is well", "Problems None.", "Clients reach 3 nodes by the nodes' own segment; router tor"}},
		{"broken", "/", 200, []string{
			"11 problems, 3 critical", "Services announced 2 of 6", "Speakers ready 2 of 3", "BGP sessions 1 of 3", "n2 speaker gone",
			"lan IPv4 4 given, 0 left", "Critical Service shop/api NoNode since Nov 26 11:59:30", "All 11", "shop/late: PoolExhausted",
		}},
		{"broken", "/problems", 200, []string{"Critical Service shop/late", "kubectl daymark explain service late -n shop", "Warning Speaker n3"}},
		{"broken", "/services", 200, []string{"default/ cam 192.0.2.203 lan n1 announced", "shop/ late waits: PoolExhausted", "shop/ theirs 203.0.113.9 another provider's"}},
		{"broken", "/services/shop/api", 200, []string{
			"not announced: NoNode 198.51.100.0", "BGPAdvertisement wan announces it", "n3 to tor does not", "dial 192.0.2.1:179: connection refused",
			"health check at port 30100", "10.0.2.9 n2 ready", "wan gave 198.51.100.0",
		}},
		{"broken", "/services/shop/late", 200, []string{"waits: PoolExhausted", "lan is exhausted", "10.0.1.9 n1 ready", "Nov 26 11:40:00 PoolExhausted: no IPv4 address"}},
		{"broken", "/services/shop/none", 404, []string{"There is no Service shop/none"}},
		{"broken", "/nodes/n2", 200, []string{"5 its speaker is not there", "It is gone since Nov 26 11:59:30"}},
		{"broken", "/nodes/n1", 200, []string{"192.0.2.202 default/dns holds it", "Sees 2 speakers"}},
		{"broken", "/nodes/n9", 404, []string{"There is no node n9"}},
		{"broken", "/etc/passwd", 404, []string{"There is no such page"}},
	} {
		t.Run(test.cluster+test.path, func(t *testing.T) {
			w := get(t, newHandler(newKeeper(environment(), objects(t, test.cluster))), test.path)
			if w.Code != test.status {
				t.Errorf("status %d", w.Code)
			}
			for _, wanted := range test.wanted {
				if !strings.Contains(plain(w.Body.String()), wanted) {
					t.Errorf("%q is not in\n%s", wanted, plain(w.Body.String()))
				}
			}
		})
	}
}

// TestPages_HavePlacesForTheirParts: else the script would load the page again for ever.
func TestPages_HavePlacesForTheirParts(t *testing.T) {
	k := newKeeper(environment(), objects(t, "broken"))
	for _, path := range paths {
		at, err := url.Parse(path)
		if err != nil {
			t.Fatal(err)
		}
		now, _ := k.look()
		p, body := now.page(at), get(t, newHandler(k), path).Body.String()
		for name := range p.Parts {
			if strings.Count(body, fmt.Sprintf(`data-part="%s"`, name)) != 1 {
				t.Errorf("%s has not one place for the part %s", path, name)
			}
		}
		if strings.Contains(body, "cannot be laid out") {
			t.Errorf("%s: %s", path, plain(body))
		}
	}
}

func TestPages_SayWhatIsNotSeen(t *testing.T) {
	all := objects(t, "broken")
	all.Gaps = []source.Gap{{Resource: "nodes", Why: source.Forbidden}}
	all.Items = slices.DeleteFunc(all.Items, func(o runtime.Object) bool { return o.GetObjectKind().GroupVersionKind().Kind == "Deployment" })
	page := plain(get(t, newHandler(newKeeper(environment(), all)), "/services/shop/api").Body.String())
	for _, wanted := range []string{"You do not see everything: 1 kind of objects", "you may not list nodes", "is computed here is for the defaults", "Not compared with the objects"} {
		if !strings.Contains(page, wanted) {
			t.Errorf("%q is not in\n%s", wanted, page)
		}
	}
}

func TestPages_SayThatAnEditIsNotAccepted(t *testing.T) {
	all := objects(t, "healthy")
	for _, p := range source.Of[*v1beta1.BGPPeer](all) {
		p.Status.Accepted = &v1beta1.AcceptedBGPPeer{Generation: p.Generation, Spec: *p.Spec.DeepCopy()}
		p.Generation, p.Spec.PeerAddress = p.Generation+1, "192.0.2.256"
	}
	page := plain(get(t, newHandler(newKeeper(environment(), all)), "/").Body.String())
	for _, wanted := range []string{"edit not accepted, 3 of 3 sessions", `192.0.2.1 An edit is not accepted: peerAddress: "192.0.2.256" is not an address`} {
		if !strings.Contains(page, wanted) {
			t.Errorf("it does not say %q: %s", wanted, page)
		}
	}
}

func TestPages_ShowTextsOfStrangersAsTexts(t *testing.T) {
	all := objects(t, "broken")
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>`
	for _, s := range source.Of[*corev1.Service](all) {
		for i := range s.Status.Conditions {
			s.Status.Conditions[i].Message, s.Status.Conditions[i].Reason = evil, evil
		}
		s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{Hostname: evil}}
	}
	handler := newHandler(newKeeper(environment(), all))
	for _, path := range append(paths, "/services?"+url.Values{"q": {evil}, "page": {evil}}.Encode(), "/nodes/"+url.PathEscape(evil)) {
		if body := get(t, handler, path).Body.String(); strings.Contains(body, "<script>") || strings.Contains(body, "<img src=x") {
			t.Errorf("%s has it as it is", path)
		}
	}
}
