package redact

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/goldentest"
	"github.com/daymark-lb/daymark/cli/source"
)

// now is the time of the clusters in testdata.
var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// of texts alone.
func of(t *testing.T, names map[string]string, texts ...string) *Redactor {
	t.Helper()
	s := NewSurvey("lb-system")
	for name, kind := range names {
		s.add(s.names, kind, name)
	}
	for _, text := range texts {
		s.AddText(text)
	}
	r, err := s.Redactor()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestText_HasOthersInTheirPlace(t *testing.T) {
	names := map[string]string{
		"web": "service", "api": "service", "n1.corp.example": "node", "n2.corp.example": "node", "secret-shop": "namespace", "pool": "pool", "10": "node",
	}
	for _, test := range []struct{ text, want string }{
		{"", ""},
		{"web, api.", "service-2, service-1."},
		{"secret-shop/web: nothing", "namespace-1/service-2: nothing"},
		{"Pod web-7d9f-abcde of the pool pool", "Pod service-2-7d9f-abcde of the pool pool"},
		{"n2.corp.example:7946", "node-2:7946"},
		{"webs and website stay, as cobweb does", "webs and website stay, as cobweb does"},
		{"10 of 12, after 10s", "10 of 12, after 10s"},
		{`held{node="n1.corp.example",address="203.0.113.7"} 1`, `held{node="node-1",address="10.0.2.7"} 1`},
		{"203.0.113.7/24, 203.0.113.7:179, 203.0.113.7.", "10.0.2.7/24, 10.0.2.7:179, 10.0.2.7."},
		{"192.0.2.200-192.0.2.250", "10.0.0.200-10.0.0.250"},
		{"198.51.100.0/25 has 198.51.100.9", "10.0.1.0/25 has 10.0.1.9"},
		{"[2001:db8::1]:179 and 2001:db8::1:", "[fd00::1]:179 and fd00::1:"},
		{"2001:db8::10-2001:db8::1f", "fd00::10-fd00::1f"},
		{"::ffff:192.0.2.1", "::ffff:10.0.0.1"},
		{"127.0.0.1, 0.0.0.0/0, ::/0, 224.0.0.1, 255.255.255.0, ::1", "127.0.0.1, 0.0.0.0/0, ::/0, 224.0.0.1, 255.255.255.0, ::1"},
		{"12:00:00.5 2026-11-26T12:00:00Z v1.2.3", "12:00:00.5 2026-11-26T12:00:00Z v1.2.3"},
		{"it is at 52:54:00:AB:cd:01 and fe80::5054:ff:feab:cd01%eth0", "it is at 02:00:00:00:00:01 and fe80::ff:fe00:1%eth0"},
		{`"msg":"first\nweb\tapi\r192.0.2.1"`, `"msg":"first\nservice-2\tservice-1\r10.0.0.1"`},
		{`quoted \\nweb, and \u003cweb\u003e, \x09web, \user\web`, `quoted \\nservice-2, and \u003cservice-2\u003e, \x09service-2, \user\service-2`},
		{`C:\n1.corp.example, \nn1.corp.example, \fe80::5054:ff:feab:cd01`, `C:\node-1, \nnode-1, \fe80::ff:fe00:1`},
		{"\x1b[1;31mweb\x1b[0m", "\x1b[1;31mservice-2\x1b[0m"},
		{`\u001b[31mweb\u001b[0m \033[31mweb \e[31mweb`, `\u001b[31mservice-2\u001b[0m \033[31mservice-2 \e[31mservice-2`},
		{`Back-off pulling image "harbor.corp.example:5000/mirror/frr:9"`, `Back-off pulling image "registry-1:5000/registry-2/frr:9"`},
		{`note="Failed to pull image \"harbor.corp.example/frr\": x"`, `note="Failed to pull image \"registry-1/frr\": x"`},
		{"64512:100 and 4200000000:1:2", "64512:100 and 4200000000:1:2"},
	} {
		r := of(t, names, test.text, "192.0.2.1 198.51.100.1 203.0.113.1 2001:db8::1")
		if got := r.Text(test.text); got != test.want {
			t.Errorf("%q becomes %q, not %q", test.text, got, test.want)
		}
	}
}

// The letter of an escape is glued to what follows it, and that may look as if it had a name in it.
func TestText_HasNoNameGluedToAnEscape(t *testing.T) {
	names := map[string]string{
		"n1": "node", "n2": "node", "n10": "node", "acme-frontend": "namespace", "frontend": "namespace", "nacme": "service", "acme": "service",
		"n10.20.30.41": "host",
	}
	for text, want := range map[string]string{
		`"lost:\n10.20.30.40"`:                      `"lost:\n10.0.0.40"`,
		`\n10.20.30.40:179 \n10.20.30.41`:           `\n10.0.0.40:179 \n10.0.0.41`,
		`\n10.20.30.40-10.20.30.49`:                 `\n10.0.0.40-10.0.0.49`,
		`\nacme-frontend \tacme-frontend:80`:        `\nnamespace-1 \tnamespace-1:80`,
		`\u003cacme-frontend\u003e`:                 `\u003cnamespace-1\u003e`,
		`\\nacme-frontend-7d9f, \nfrontend/n1`:      `\\nnamespace-1-7d9f, \nnamespace-2/node-1`,
		`\nacme`:                                    `\nservice-1`, // both readings are names
		`C:\n1, \nn1, \n10`:                         `C:\node-1, \nnode-1, \node-2`,
		`C:\n1-7d9f`:                                `C:\node-1-7d9f`, // the rest is no name
		`\2001:db8::1 would be 1:db8::1 after \200`: `\fd00:0:0:1::1 would be fd00::1 after \200`,
	} {
		if got := of(t, names, text).Text(text); got != want {
			t.Errorf("%q becomes %q, not %q", text, got, want)
		}
	}
}

// TestAddresses_KeepTheirSubnetsAndOrder, whatever they are.
func TestAddresses_KeepTheirSubnetsAndOrder(t *testing.T) {
	text := "10.96.0.0/12 172.20.0.0/16 172.20.3.0/24 172.16.5.1 172.16.5.254 8.8.8.8 192.168.0.0/22 192.168.3.7 192.168.2.10-192.168.5.20 " +
		"2001:db8::/32 2001:db8:1::5 2001:db8:0:7::1 2a02:26f7::1 fd12::1"
	r := of(t, nil, text)
	var before, after []netip.Prefix
	for _, word := range strings.Fields(strings.ReplaceAll(text, "-", " ")) {
		other := r.Text(word)
		if other == word {
			t.Errorf("%s stays", word)
		}
		before, after = append(before, prefix(t, word)), append(after, prefix(t, other))
	}
	for i, a := range before {
		for j, b := range before {
			if within, now := a.Overlaps(b), after[i].Overlaps(after[j]); within != now {
				t.Errorf("that %v and %v have an address in common is %v, and then %v, by %v and %v", a, b, within, now, after[i], after[j])
			}
			if a.Addr().Compare(b.Addr()) != after[i].Addr().Compare(after[j].Addr()) {
				t.Errorf("%v and %v are in another order than %v and %v", a, b, after[i], after[j])
			}
		}
	}
}

func prefix(t *testing.T, text string) netip.Prefix {
	t.Helper()
	if p, err := netip.ParsePrefix(text); err == nil {
		return p
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		t.Fatal(err)
	}
	return netip.PrefixFrom(a, a.BitLen())
}

func TestRedactor_SaysWhenThereIsNoRoom(t *testing.T) {
	s := NewSurvey()
	for i := range 200 {
		s.networks[netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(i + 1)}), 8)] = true
	}
	if _, err := s.Redactor(); err == nil {
		t.Error("two hundred networks of sixteen million addresses have others in their place")
	}
}

// TestObject_TellsNothing: of a cluster with telling names and addresses nothing is left but what the kinds say.
func TestObject_TellsNothing(t *testing.T) {
	all, err := source.Open(filepath.Join("testdata", "telling.yaml"), now)
	if err != nil {
		t.Fatal(err)
	}
	s := NewSurvey("lb-system")
	for _, item := range all.Items {
		if err := s.AddObject(item); err != nil {
			t.Fatal(err)
		}
	}
	r, err := s.Redactor()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, item := range all.Items {
		redacted, err := r.Object(item)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.MarshalIndent(redacted, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		out.Write(text)
		out.WriteByte('\n')
	}
	// Whatever the file has that begins so is telling.
	for _, left := range regexp.MustCompile(`(?i)\S*(acme|203\.0\.113|2001:db8|52:54)\S*`).FindAllString(out.String(), -1) {
		t.Errorf("%s is left", left)
	}
	goldentest.Compare(t, "telling", out.String())
}

// Below Kubernetes' domains others make keys, and where users choose the names these tell.
func TestKeys_StayIfTheyAreKubernetesOwn(t *testing.T) {
	s := NewSurvey()
	keys := map[string]string{
		"kubernetes.io/hostname": "kubernetes.io/hostname", "app.kubernetes.io/name": "app.kubernetes.io/name",
		"node-role.kubernetes.io/control-plane": "node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/": "node-role.kubernetes.io/",
		"node-role.kubernetes.io/payments": "node-role.kubernetes.io/label-3", "node-restriction.kubernetes.io/row": "node-restriction.kubernetes.io/label-4",
		"corp.kubernetes.io/team": "label-2/label-6", "corp.example/team": "label-1/label-6", "team": "label-6", "team-kubernetes.io/x": "label-7/label-9",
		"scheduling.corp.k8s.io/tier": "label-5/label-8",
	}
	for key := range keys {
		s.see(labelKey, "", key)
	}
	r, err := s.Redactor()
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range keys {
		if got := r.replace(labelKey, "", key); got != want {
			t.Errorf("%s becomes %s, not %s", key, got, want)
		}
	}
}

// FuzzText: no text is too odd, and a pseudonym does not become another one of the same text: what is redacted has nothing to redact but
// addresses.
func FuzzText(f *testing.F) {
	f.Add("192.0.2.1-192.0.2.9, web-7d9f of shop/web at [2001:db8::1]:179, fe80::5054:ff:feab:cd01%eth0 52:54:00:ab:cd:01")
	f.Add("::/0 ::: -1.2.3.4- 1.2.3.4/999 /24 a::b.-")
	f.Fuzz(func(t *testing.T, text string) {
		s := NewSurvey()
		s.add(s.names, "service", "web")
		s.add(s.names, "namespace", "shop")
		s.AddText(text)
		r, err := s.Redactor()
		if err != nil {
			return
		}
		for _, word := range strings.FieldsFunc(r.Text(text), func(c rune) bool { return c > 127 || !inToken(byte(c)) }) {
			if word == "web" || word == "shop" {
				t.Errorf("%q is left of %q", word, text)
			}
		}
	})
}

// What an administrator wrote to the router's operator is for nobody else.
func TestObject_HasNoShutdownMessage(t *testing.T) {
	peer := &v1beta1.BGPPeer{}
	peer.Spec.ShutdownMessage = "call Ada"
	peer.Status.Accepted = &v1beta1.AcceptedBGPPeer{Spec: peer.Spec}
	fields, err := of(t, nil).Object(peer)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := json.Marshal(fields); err != nil || bytes.Contains(text, []byte("Ada")) {
		t.Errorf("there is %s, error %v", text, err)
	}
}

// What the operator of a router wrote is not for others either, however often it was quoted.
func TestText_HasNoShutdownMessage(t *testing.T) {
	for _, said := range []string{`call Ada`, `"Ada"`, `"`, `\`, `\"Ada\`, `administrative reset: "Ada"`, "a\nb", `Ada: 192.0.2.1`} {
		for _, kind := range []string{"administrative shutdown", "administrative reset"} {
			text, want := fmt.Sprintf(`cease, %s: %q; since then`, kind, said), fmt.Sprintf(`cease, %s: ""; since then`, kind)
			for range 4 {
				if got := of(t, nil, text).Text(text + " " + text + "\nnext"); got != want+" "+want+"\nnext" {
					t.Errorf("%s becomes %s, not %s twice", text, got, want)
				}
				text, want = fmt.Sprintf("err=%q", text), fmt.Sprintf("err=%q", want)
			}
		}
	}
	for text, want := range map[string]string{
		"administrative shutdown: \"cut short\nnext":      "administrative shutdown: \"\nnext",
		`"cease, administrative shutdown: \"cut short" x`: `"cease, administrative shutdown: \"" x`,
		`an administrative shutdown: "`:                   `an administrative shutdown: "`,
		`administrative shutdown; "more"`:                 `administrative shutdown; "more"`,
	} {
		if got := of(t, nil, text).Text(text); got != want {
			t.Errorf("%q becomes %q, not %q", text, got, want)
		}
	}
}

func TestObject_HasNoShutdownMessageOfARouter(t *testing.T) {
	const text = `router sent NOTIFICATION: cease, administrative shutdown: "call Ada"`
	speaker := &v1beta1.Speaker{}
	speaker.Status.BGP = []v1beta1.BGPSession{{LastError: text}}
	peer := &v1beta1.BGPPeer{}
	peer.Status.Conditions = []metav1.Condition{{Message: "n1: " + text}}
	for _, o := range []runtime.Object{speaker, peer} {
		fields, err := of(t, nil).Object(o)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := json.Marshal(fields); err != nil || bytes.Contains(got, []byte("Ada")) || !bytes.Contains(got, []byte("administrative shutdown")) {
			t.Errorf("there is %s, error %v", got, err)
		}
	}
}

// TestObject_HasNoNamesInFieldsBesideItsOwn: of ports, accounts, Secrets, volumes, kinds of somebody.
func TestObject_HasNoNamesInFieldsBesideItsOwn(t *testing.T) {
	const text = `
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Service
  metadata:
    name: web
    generateName: acme-gen-
    finalizers: [acme.example/finalizer, foregroundDeletion, service.kubernetes.io/load-balancer-cleanup]
    ownerReferences: [{apiVersion: acme.example/v1, kind: AcmeShop, name: acme-shop, uid: u}, {apiVersion: apps/v1, kind: Deployment, name: acme-app, uid: u}]
  spec: {ports: [{name: acme-port, port: 80, targetPort: acme-target, appProtocol: acme.example/rpc}, {name: http, port: 81, targetPort: 8080, appProtocol: kubernetes.io/h2c}]}
- apiVersion: discovery.k8s.io/v1
  kind: EndpointSlice
  metadata: {name: web-1}
  addressType: IPv4
  endpoints: [{addresses: [10.0.0.1], deprecatedTopology: {acme-topology: acme-rack}}]
  ports: [{name: acme-port, port: 8080}]
- apiVersion: v1
  kind: Pod
  metadata: {name: daymark-speaker-x}
  spec:
    serviceAccountName: acme-account
    hostAliases: [{ip: 192.0.2.1, hostnames: [acme-host]}]
    volumes: [{name: acme-volume, secret: {secretName: acme-secret}}, {name: v, configMap: {name: acme-map}}, {name: w, persistentVolumeClaim: {claimName: acme-claim}}]
    containers: [{name: speaker, env: [{name: KEY, valueFrom: {secretKeyRef: {name: acme-other, key: acme-key}}}], volumeMounts: [{name: acme-volume, mountPath: /x}]}]
- apiVersion: daymark.io/v1beta1
  kind: BGPPeer
  metadata: {name: tor}
  spec: {vrf: acme-vrf, passwordSecret: {name: acme-password, key: acme-entry}}
- apiVersion: events.k8s.io/v1
  kind: Event
  metadata: {name: e}
  reportingInstance: acme-instance
  note: acme-port of acme-shop has no endpoint of acme-account
`
	all, err := source.Read("x", strings.NewReader(text), now)
	if err != nil {
		t.Fatal(err)
	}
	survey := NewSurvey("daymark-system")
	for _, item := range all.Items {
		if err := survey.AddObject(item); err != nil {
			t.Fatal(err)
		}
	}
	redactor, err := survey.Redactor()
	if err != nil {
		t.Fatal(err)
	}
	var written bytes.Buffer
	for _, item := range all.Items {
		other, err := redactor.Object(item)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.NewEncoder(&written).Encode(other); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range strings.Split(written.String(), ",") {
		if strings.Contains(strings.ToLower(line), "acme") {
			t.Error(line)
		}
	}
	for _, stays := range []string{`"name":"http"`, "service.kubernetes.io/load-balancer-cleanup", "kubernetes.io/h2c", `"kind":"Deployment"`, `"targetPort":8080`, "foregroundDeletion"} {
		if !strings.Contains(written.String(), stays) {
			t.Errorf("%s does not stay in\n%s", stays, written.String())
		}
	}
}
