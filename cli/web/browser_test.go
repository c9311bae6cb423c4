package web

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/internal/browsertest"
)

// tab shows the pages of a keeper.
type tab struct {
	*browsertest.Tab
	url string
}

// browse opens a browser for the pages of a keeper.
func browse(t *testing.T, k *keeper) *tab {
	t.Helper()
	server := httptest.NewServer(newHandler(k))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return &tab{browsertest.New(t), server.URL}
}

// open a page and wait until it is live, as it is with its script.
func (b *tab) open(path string) {
	b.Open(b.url + path)
	b.Until(`document.querySelector("#connection[data-state=live]") !== null`)
}

func TestBrowser_ShowsAFailOverAndKeepsTheFocus(t *testing.T) {
	before, after := small(t)
	k := newKeeper(environment(), before)
	b := browse(t, k)
	b.open("/")
	const link = `document.querySelector("[data-part=services] a[href='/services/default/dns']")`
	b.Do(link + `.focus()`)
	c := k.compute(after)
	k.replace(func(s *snapshot) { s.computed = c })
	b.Until(`document.querySelector("[data-part=timeline]").textContent.includes("` + took + `")`)
	b.Until(link + `.closest("tr").textContent.includes("n3")`)
	b.Until(`document.activeElement === ` + link)
	if news := b.Text(`document.querySelector("[role=status] [data-part=news]").textContent`); !strings.Contains(news, "over from n1") {
		t.Errorf("a screen reader is told %q", news)
	}
}

func TestBrowser_LoadsTheStoryAgainWhenTheServiceHasGone(t *testing.T) {
	all := objects(t, "broken")
	k := newKeeper(environment(), all)
	b := browse(t, k)
	b.open("/services/default/dns")
	c := k.compute(without(all, "dns"))
	k.replace(func(s *snapshot) { s.computed = c })
	b.Until(`document.body.textContent.includes("There is no Service default/dns")`)
}

// without a Service.
func without(all *source.Objects, name string) *source.Objects {
	after := *all
	after.Items = nil
	for _, item := range all.Items {
		if source.Name(item) != name || item.GetObjectKind().GroupVersionKind().Kind != "Service" {
			after.Items = append(after.Items, item)
		}
	}
	return &after
}

func TestBrowser_ReadsWithoutAScript(t *testing.T) {
	b := browse(t, newKeeper(environment(), objects(t, "broken")))
	b.WithoutScripts()
	b.Open(b.url)
	if verdict := b.Text(`document.querySelector(".verdict").textContent`); verdict != "11 problems, 3 critical" {
		t.Errorf("the page says %q", verdict)
	}
	b.Type("#q", "192.0.2.203\r")
	b.Until(`location.search === "?q=192.0.2.203" && document.readyState === "complete"`)
	if rows := b.Text(`document.querySelector("[data-part=services] tbody").textContent`); !strings.HasPrefix(rows, "default/cam") || strings.Contains(rows, "dns") {
		t.Errorf("the search finds %q", rows)
	}
	b.Click("[data-part=services] tbody a")
	b.Until(`document.querySelector("h1")?.textContent === "default/cam"`)
	if state := b.Text(`document.querySelector("#connection").textContent`); !strings.HasPrefix(state, "as of Nov 26 12:00:00") {
		t.Errorf("of how new it is the page says %q", state)
	}
}

// TestBrowser_IsRefusedNothing: by the policy, and no script fails.
func TestBrowser_IsRefusedNothing(t *testing.T) {
	b := browse(t, newKeeper(environment(), objects(t, "broken")))
	b.First(`window.complaints = []; addEventListener("error", e => complaints.push(e.message ?? "not loaded"), true);
		addEventListener("securitypolicyviolation", e => complaints.push(e.violatedDirective), true)`)
	for _, path := range paths {
		b.open(path)
		if complaints := b.Text(`complaints.join()`); complaints != "" {
			t.Errorf("at %s the browser complains: %s", path, complaints)
		}
	}
	b.Do(`{ const s = document.createElement("style"); s.textContent = "p {}"; document.body.append(s) }`)
	b.Until(`complaints.join().startsWith("style-src")`) // so it would have been heard
}

// loadAxe runs the accessibility checker in a page; make deps-test puts it into the cache.
func loadAxe(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	browsertest.Need(t, err)
	script, err := os.ReadFile(filepath.Join(cache, "daymark", "axe-core", "axe.min.js"))
	browsertest.Need(t, err)
	return string(script)
}

// violations are what axe finds in the page; of dark colours by the rules of colours alone, since nothing else differs.
func (b *tab) violations(colours string) string {
	b.PreferColours(colours)
	which := map[string]string{"light": `{}`, "dark": `{runOnly: {type: "rule", values: ["color-contrast", "link-in-text-block"]}}`}[colours]
	return b.Text(`axe.run(document, ` + which + `).then(r => r.violations.map(v =>
		v.id + ": " + v.help + ": " + v.nodes.slice(0, 3).map(n => n.html + " " + n.failureSummary).join("\n")).join("\n"))`)
}

func TestBrowser_AxeFindsNothing(t *testing.T) {
	script := loadAxe(t)
	for name, all := range map[string]*source.Objects{"broken": objects(t, "broken"), "large": large()} {
		b := browse(t, newKeeper(environment(), all))
		for _, path := range map[string][]string{"broken": {"/", "/services", "/services/shop/api", "/nodes/n2", "/timeline", "/none"}, "large": {"/"}}[name] {
			b.open(path)
			b.Do(`document.querySelectorAll("details").forEach(d => d.open = true)`)
			b.Do(script)
			for _, colours := range []string{"light", "dark"} {
				if found := b.violations(colours); found != "" {
					t.Errorf("at %s of the cluster %s in %s axe finds\n%s", path, name, colours, found)
				}
			}
		}
	}
}

func TestBrowser_AxeWouldFindSomething(t *testing.T) {
	script := loadAxe(t)
	b := browse(t, newKeeper(environment(), objects(t, "healthy")))
	b.open("/")
	b.Do(script)
	b.Do(`document.body.append(document.createElement("img"), document.createElement("button"))`)
	b.Do(`document.querySelector("h2").style.color = "light-dark(#ddd, #333)"`)
	for _, colours := range []string{"light", "dark"} {
		found := b.violations(colours)
		for _, rule := range map[string][]string{"light": {"image-alt: ", "button-name: ", "color-contrast: "}, "dark": {"color-contrast: "}}[colours] {
			if !strings.Contains(found, rule) {
				t.Errorf("in %s axe does not find %q in\n%s", colours, rule, found)
			}
		}
	}
}

// pictured is the healthy cluster with a second router, and the same after a fail-over and with one session down.
func pictured(t *testing.T) (before, after *source.Objects) {
	t.Helper()
	before = objects(t, "healthy")
	var spine *v1beta1.BGPPeer
	for _, item := range before.Items {
		switch o := item.(type) {
		case *v1beta1.BGPPeer:
			o.Spec.BFDProfile = "fast"
			spine = o.DeepCopy()
			spine.Name, spine.Spec.PeerAddress = "spine", "192.0.2.2"
		case *v1beta1.Speaker:
			o.Status.BGP[0].BFD = "Up"
			second := o.Status.BGP[0]
			second.Peer, second.Address = "spine", "192.0.2.2"
			o.Status.BGP = append(o.Status.BGP, second)
		}
	}
	before.Items = append(before.Items, spine)
	after = failOver(before, "n2", "n3")
	after.Time = now.Add(12 * time.Second)
	for i, item := range after.Items {
		switch o := item.(type) {
		case *v1beta1.BGPPeer:
			if o == spine {
				o = o.DeepCopy()
				o.Status.Established--
				meta.SetStatusCondition(&o.Status.Conditions, metav1.Condition{
					Type: v1beta1.ConditionSessionsEstablished, Status: metav1.ConditionFalse, Reason: "NotEstablished",
					Message: "not established on n1: connection refused", LastTransitionTime: metav1.NewTime(after.Time),
				})
				after.Items[i] = o
			}
		case *v1beta1.Speaker:
			if o.Name == "n1" {
				o = o.DeepCopy()
				down := &o.Status.BGP[1]
				down.State, down.LastError, down.BFD, down.IPv4 = v1beta1.BGPActive, "connection refused", "Down", 0
				after.Items[i] = o
			}
		}
	}
	return before, after
}

// TestBrowser_TakesThePicturesOfTheDocs into the folder that DAYMARK_PICTURES names; without one it is seen that it could.
func TestBrowser_TakesThePicturesOfTheDocs(t *testing.T) {
	before, after := pictured(t)
	k := newKeeper(environment(), before)
	c := k.compute(after)
	k.replace(func(s *snapshot) { s.computed = c })
	b := browse(t, k)
	for _, colours := range []string{"light", "dark"} {
		b.PreferColours(colours)
		b.open("/")
		data := b.Picture()
		if folder := os.Getenv("DAYMARK_PICTURES"); folder != "" {
			if err := os.WriteFile(filepath.Join(folder, "web-"+colours+".png"), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
