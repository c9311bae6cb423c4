package web

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/daymark-lb/daymark/cli/view"
)

// list is one page of a longer list.
type list[T any] struct {
	Items []T
	// First and Last are the places of the items, from 1, among Total.
	First, Last, Total int
	// Before and After are the addresses of the neighbours, and All that of the whole list where this is an extract; empty: there is none.
	Before, After, All string
}

// first is an extract of a list that stands elsewhere: its first items.
func first[T any](items []T, size int, all string) list[T] {
	size = min(size, len(items))
	return list[T]{Items: items[:size], First: min(1, size), Last: size, Total: len(items), All: all}
}

// paged cuts the page out of a list that an address asks for.
func paged[T any](items []T, at *url.URL, size int) list[T] {
	query := at.Query()
	number, err := strconv.Atoi(query.Get("page"))
	pages := max(1, (len(items)+size-1)/size)
	if err != nil {
		number = 1
	}
	number = min(max(number, 1), pages)
	begin := (number - 1) * size
	end := min(begin+size, len(items))
	link := func(page int) string {
		if page < 1 || page > pages {
			return ""
		}
		query.Set("page", strconv.Itoa(page))
		return at.Path + "?" + query.Encode()
	}
	return list[T]{
		Items: items[begin:end], First: min(begin+1, end), Last: end, Total: len(items), Before: link(number - 1), After: link(number + 1),
	}
}

// search is what a user looks for among the Services.
type search struct {
	// Text that the name, an address, a pool or a node has in it.
	Text string
	// State that they are in; empty: any; Wrong: that should not be.
	State string
}

// wrong is the State of a search for Services that are not as they should be.
const wrong = "Wrong"

// states that can be searched for, with what the page calls them.
var states = []struct{ Value, Name string }{
	{"", "all"},
	{wrong, "with something wrong"},
	{string(view.ServiceAnnounced), "announced"},
	{string(view.ServiceWaiting), "waiting"},
	{string(view.ServiceKept), "with another address than asked for"},
	{string(view.ServiceNotAnnounced), "not announced"},
	{string(view.ServiceUnknown), "nothing said yet"},
	{string(view.ServiceOther), "another provider's"},
}

func (s search) matches(line *view.ServiceLine) bool {
	if s.State == wrong && !line.State.Wrong() || s.State != "" && s.State != wrong && s.State != string(line.State) {
		return false
	}
	if s.Text == "" {
		return true
	}
	text := strings.ToLower(s.Text)
	if strings.Contains(strings.ToLower(line.Namespace+"/"+line.Name), text) {
		return true
	}
	for _, words := range [][]string{line.Addresses, line.Pools, line.Holders} {
		if slices.ContainsFunc(words, func(word string) bool { return strings.Contains(strings.ToLower(word), text) }) {
			return true
		}
	}
	return false
}

// serviceList is the page of all Services.
func (s *snapshot) serviceList(p *page, query url.Values) {
	wanted := search{strings.TrimSpace(query.Get("q")), query.Get("state")}
	var found []view.ServiceLine
	for i := range s.services {
		if wanted.matches(&s.services[i]) {
			found = append(found, s.services[i])
		}
	}
	p.is("services-page", "Services", "services")
	p.Data = struct {
		search
		States any
	}{wanted, states}
	p.add("services", paged(found, &url.URL{Path: "/services", RawQuery: query.Encode()}, 50))
}

// worstFirst are the Services in the order in which the overview shows them.
func worstFirst(services []view.ServiceLine) []view.ServiceLine {
	rank := func(line view.ServiceLine) int {
		if line.State.Wrong() {
			return 0
		}
		return 1
	}
	sorted := slices.Clone(services)
	slices.SortStableFunc(sorted, func(a, b view.ServiceLine) int { return cmp.Compare(rank(a), rank(b)) })
	return sorted
}
