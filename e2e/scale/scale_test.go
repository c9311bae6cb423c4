package main

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/speaker/gossip"
)

func TestSizes_AreALineAlongEachAxis(t *testing.T) {
	for _, test := range []struct {
		name, services, nodes string
		want                  []size
		wrong                 string
	}{
		{"services alone", "3000 1000", "3", []size{{1000, 3}, {3000, 3}}, ""},
		{"both", "1000 3000", "100 3", []size{{1000, 3}, {3000, 3}, {1000, 100}}, ""},
		{"fewer nodes than speakers", "1000", "2", nil, "-nodes must be numbers from 3 to 2000"},
		{"no number", "1000 many", "3", nil, `not "many"`},
		{"none", "", "3", nil, "-services must have a number"},
	} {
		got, err := parseSizes(test.services, test.nodes, 3)
		if !slices.Equal(got, test.want) || (err == nil) != (test.wrong == "") || err != nil && !strings.Contains(err.Error(), test.wrong) {
			t.Errorf("%s: %v, %v", test.name, got, err)
		}
	}
}

func TestParts_AreNamed(t *testing.T) {
	if _, err := parseParts("storm crash"); err != nil {
		t.Error(err)
	}
	if _, err := parseParts("strom"); err == nil || !strings.Contains(err.Error(), "storm, steady, restart, crash, gossip") {
		t.Errorf("%v", err)
	}
}

const metrics = `# HELP apiserver_request_total Counter of apiserver requests
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="services",scope="resource",subresource="status",verb="PATCH",version="v1"} 12
apiserver_request_total{code="409",component="apiserver",dry_run="",group="",resource="services",scope="resource",subresource="status",verb="PATCH",version="v1"} 2
apiserver_request_total{code="201",component="apiserver",dry_run="",group="",resource="services",scope="resource",subresource="",verb="POST",version="v1"} 7
apiserver_request_total{code="201",component="apiserver",dry_run="All",group="",resource="services",scope="resource",subresource="",verb="POST",version="v1"} 70
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="services",scope="cluster",subresource="",verb="WATCH",version="v1"} 700
apiserver_request_total{code="200",component="apiserver",dry_run="",group="coordination.k8s.io",resource="leases",scope="resource",subresource="",verb="PUT",version="v1"} 1.5e+03
apiserver_request_duration_seconds_count{verb="PUT"} 5
`

func TestWrites_AreCountedByResource(t *testing.T) {
	got, err := parseWrites(metrics)
	if err != nil || !maps.Equal(got, writes{"services/status": 14, "services": 7, "leases": 1500}) {
		t.Fatalf("%v, %v", got, err)
	}
	by, sum := got.since(writes{"services/status": 4, "services": 1, "leases": 1000}, "services")
	if sum != 10 || !maps.Equal(by, writes{"services/status": 10}) {
		t.Errorf("%v, %d since then", by, sum)
	}
	if _, err := parseWrites(`apiserver_request_total{verb="PUT",resource="x"} many`); err == nil {
		t.Error("what is no number is read")
	}
}

func TestSpent_IsThatOfTheSpeakerThatTookMost(t *testing.T) {
	now := time.Now()
	before := spent{now, map[string]time.Duration{"controller": 5, "speaker-n1": 10, "speaker-n2": 100}}
	after := spent{now.Add(time.Second), map[string]time.Duration{"controller": 7, "speaker-n1": 40, "speaker-n2": 110}}
	by, elapsed := after.since(before)
	if elapsed != time.Second || !maps.Equal(by, map[string]time.Duration{"controller": 2, "speaker": 30}) {
		t.Errorf("%v in %s", by, elapsed)
	}
}

func TestResults_TheLatestStandsAndTheRestStays(t *testing.T) {
	all := merge(nil, result{Services: 3000, Nodes: 3, Speakers: 3, At: "then", Figures: map[string]float64{"routed": 9, "created": 8}})
	all = merge(all, result{Services: 1000, Nodes: 3, Speakers: 3, At: "then", Figures: map[string]float64{"routed": 3}})
	all = merge(all, result{Services: 3000, Nodes: 3, Speakers: 3, At: "now", Figures: map[string]float64{"routed": 7}})
	want := []result{
		{Services: 1000, Nodes: 3, Speakers: 3, At: "then", Figures: map[string]float64{"routed": 3}},
		{Services: 3000, Nodes: 3, Speakers: 3, At: "now", Figures: map[string]float64{"routed": 7, "created": 8}},
	}
	if !reflect.DeepEqual(all, want) {
		t.Errorf("%+v", all)
	}
}

func TestPictures_AreOfFiguresThatThereAre(t *testing.T) {
	names := map[string]bool{}
	for _, d := range pictures {
		for _, key := range d.keys {
			figureOf(key) // panics
		}
		if names[d.name()] || d.title == "" || d.unit == "" {
			t.Errorf("%+v", d)
		}
		names[d.name()] = true
	}
}

func TestDrawn_IsAlongOneAxis(t *testing.T) {
	routed := func(services, nodes int, value float64) result {
		return result{Services: services, Nodes: nodes, Figures: map[string]float64{"routed": value}}
	}
	all := []result{routed(1000, 3, 1), routed(3000, 3, 2), routed(1000, 100, 5), routed(3000, 100, 9)}
	for _, test := range []struct {
		d    drawn
		want string
	}{
		{drawn{keys: []string{"routed", "created"}}, "[{routed [{1000 1} {3000 2}]}]"},
		{drawn{againstNodes: true, keys: []string{"routed"}}, "[{routed [{3 1} {100 5}]}]"},
		{drawn{keys: []string{"created"}}, "[]"},
	} {
		if got := fmt.Sprint(test.d.of(all).Lines); got != test.want {
			t.Errorf("%+v: %s", test.d, got)
		}
	}
	some := []result{routed(100, 30, 1), routed(1000, 3, 2), routed(1000, 30, 3), routed(1000, 100, 4)}
	if got := fmt.Sprint(drawn{againstNodes: true, keys: []string{"routed"}}.of(some).Lines); got != "[{routed [{3 2} {30 3} {100 4}]}]" {
		t.Errorf("beside a smaller cluster: %s", got)
	}
	if lines := (drawn{keys: []string{"routed"}}).of(all[:1]).Lines; len(lines) > 0 {
		t.Errorf("a line has a single point: %v", lines)
	}
}

func TestRack_ObserversOfRealSpeakersAreFast(t *testing.T) {
	fast, _ := gossip.Preset(gossip.Fast, true)
	count := func(of int) (n int) {
		timings := rackTimings(of, 3)
		for _, timing := range timings {
			if timing == fast {
				n++
			}
			if err := timing.Check(); err != nil {
				t.Error(err)
			}
		}
		if len(timings) != of-3 {
			t.Errorf("%d of %d speakers have a timing", len(timings), of)
		}
		return n
	}
	if n := count(100); n != 97 {
		t.Errorf("%d are fast among 100", n)
	}
	if n := count(1000); n < 5 || n > 15 { // five observe each of three
		t.Errorf("%d are fast among 1000", n)
	}
}

func TestGossiped_IsWhatNftCounted(t *testing.T) {
	const text = "table inet scale {\n\tcounter received {\n\t\tpackets 12 bytes 3400\n\t}\n\n\tcounter sent {\n\t\tpackets 7 bytes 560\n\t}\n}\n"
	if got, err := parseGossiped(text); err != nil || got != (gossiped{sent: 560, received: 3400}) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := parseGossiped("table inet scale {\n}\n"); err == nil {
		t.Error("counters that are not there are read")
	}
}

func TestHeard_IsWhatOthersSaidAfterwards(t *testing.T) {
	first, second, began := netip.MustParseAddr("198.19.0.1"), netip.MustParseAddr("198.19.0.2"), time.Now()
	h := &heard{
		answered: map[saidBy]time.Time{
			{first, "n1"}: began.Add(20), {first, "n2"}: began.Add(10), {first, "n3"}: began.Add(1), {second, "n3"}: began.Add(1),
		},
		announced: map[saidBy]time.Time{{first, "n1"}: began.Add(30), {second, "n2"}: began.Add(40), {netip.MustParseAddr("198.19.0.9"), "n2"}: began.Add(1)},
	}
	answered, announced := h.since([]netip.Addr{first, second}, "n3", began)
	slices.Sort(announced)
	if !slices.Equal(answered, []time.Duration{10}) || !slices.Equal(announced, []time.Duration{30, 40}) {
		t.Errorf("%v, %v", answered, announced)
	}
	if h.complete([]netip.Addr{first, second}, "n3", began) == nil || h.complete([]netip.Addr{first}, "n3", began) != nil {
		t.Error("whether all are taken over is not so")
	}
}

// The page and the pictures are those of the results: nobody has changed them by hand, or forgotten to draw them again.
func TestPage_IsThatOfTheResults(t *testing.T) {
	const docs = "../../docs"
	folder := filepath.Join(t.TempDir(), "docs")
	if err := os.CopyFS(filepath.Join(folder, "pictures"), os.DirFS(filepath.Join(docs, "pictures"))); err != nil {
		t.Fatal(err)
	}
	read := func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		return string(text)
	}
	page := filepath.Join(folder, "large-clusters.md")
	if err := os.WriteFile(page, []byte(read(filepath.Join(docs, "large-clusters.md"))), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := publish(settings{results: filepath.Join(folder, "pictures", "large-clusters.json"), page: page}); err != nil {
		t.Fatal(err)
	}
	if read(page) != read(filepath.Join(docs, "large-clusters.md")) {
		t.Error("docs/large-clusters.md differs from what `go run ./e2e/scale -draw` writes")
	}
	drawn, _ := filepath.Glob(filepath.Join(folder, "pictures", "scale-*.svg"))
	there, _ := filepath.Glob(filepath.Join(docs, "pictures", "scale-*.svg"))
	if len(drawn) != len(there) || len(drawn) == 0 {
		t.Errorf("%d pictures are drawn, and %d are there", len(drawn), len(there))
	}
	for _, file := range drawn {
		if read(file) != read(filepath.Join(docs, "pictures", filepath.Base(file))) {
			t.Errorf("docs/pictures/%s differs from what `go run ./e2e/scale -draw` writes", filepath.Base(file))
		}
	}
}
