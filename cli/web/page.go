package web

import (
	"bytes"
	"embed"
	"fmt"
	"hash/fnv"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/cli/output"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

//go:embed templates
var sources embed.FS

// templates of the layouts, and of the parts by their names.
var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"when": when, "count": output.Count, "int": func(n int32) int { return int(n) }, "join": func(list []string) string { return strings.Join(list, ", ") },
	"share": func(percent int) int { return 2 * percent },
}).ParseFS(sources, "templates/*.html"))

// page is a page, laid out but for its frame.
type page struct {
	Status int
	// Layout is the template of the whole, and Title what the browser's tab says.
	Layout, Title string
	// Section of the navigation that it belongs to.
	Section string
	// Parts are replaced when they change.
	Parts map[string]part
	// Data is what stands around the parts, and does not change.
	Data   any
	Origin string
	Time   time.Time
	Still  bool
}

// part of a page. Version differs when HTML does.
type part struct {
	Name    string        `json:"-"`
	Version string        `json:"version"`
	HTML    template.HTML `json:"html"`
}

// page at an address, as the cluster was.
func (s *snapshot) page(at *url.URL) *page {
	p := &page{
		Status: http.StatusOK, Origin: s.objects.Origin, Time: s.cluster.Now, Still: s.still, Parts: map[string]part{},
	}
	p.add("banner", s.banner())
	p.add("news", s.history[:min(1, len(s.history))])
	words := strings.Split(strings.Trim(path.Clean(at.Path), "/"), "/")
	switch {
	case at.Path == "/":
		s.overview(p)
	case len(words) == 1 && words[0] == "services":
		s.serviceList(p, at.Query())
	case len(words) == 3 && words[0] == "services":
		s.story(p, lb.Key{Namespace: words[1], Name: words[2]})
	case len(words) == 2 && words[0] == "nodes":
		s.node(p, words[1])
	case len(words) == 1 && words[0] == "problems":
		p.is("list", "Problems", "problems")
		p.add("problems", paged(s.status.Problems, at, 50))
	case len(words) == 1 && words[0] == "timeline":
		p.is("list", "Timeline", "timeline")
		p.add("timeline", paged(s.history, at, 100))
	default:
		p.missing("There is no such page.")
	}
	return p
}

// is says what page it is.
func (p *page) is(layout, title, section string) {
	p.Layout, p.Title, p.Section = layout, title, section
}

// missing makes it a page that says that there is nothing.
func (p *page) missing(text string) {
	p.is("missing-page", "Not found", "")
	p.Status = http.StatusNotFound
	p.add("missing", text)
}

// add a part, laid out by the template of its name.
func (p *page) add(name string, data any) {
	var html bytes.Buffer
	if err := templates.ExecuteTemplate(&html, name, data); err != nil {
		html.Reset()
		fmt.Fprintf(&html, "<p>This part cannot be laid out: %s</p>", template.HTMLEscapeString(err.Error()))
	}
	hash := fnv.New64a()
	hash.Write(html.Bytes())
	p.Parts[name] = part{name, fmt.Sprintf("%x", hash.Sum64()), template.HTML(html.String())} //nolint:gosec // a template has escaped it
}

// when a moment was, by this machine's clock, in HTML.
func when(at any) template.HTML {
	t, ok := at.(time.Time)
	switch moment := at.(type) {
	case metav1.Time:
		t, ok = moment.Time, true
	case *metav1.Time:
		if moment != nil {
			t, ok = moment.Time, true
		}
	}
	if !ok || t.IsZero() {
		return "an unknown time"
	}
	t = t.Local()
	return template.HTML(fmt.Sprintf(`<time datetime="%s">%s</time>`, t.Format(time.RFC3339), t.Format("Jan 2 15:04:05"))) //nolint:gosec // digits and names of months
}

// banner is what a reader must know before all else.
type banner struct {
	Silent time.Time
	Unseen []string
	// Defaults: the programs' flags are not seen.
	Defaults bool
}

func (s *snapshot) banner() banner {
	b := banner{Silent: s.silent, Defaults: !s.cluster.Settings.Known}
	for _, unseen := range s.status.Unseen {
		b.Unseen = append(b.Unseen, unseen.Message)
	}
	return b
}
