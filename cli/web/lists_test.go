package web

import (
	"strings"
	"testing"
)

func TestServices_AreFoundAndCutIntoPages(t *testing.T) {
	handler := newHandler(newKeeper(environment(), large()))
	for _, test := range []struct{ query, wanted, first string }{
		{"", "1 to 50 of 10000", "web-00-00"},
		{"?page=200", "9951 to 10000 of 10000", "web-99-50"},
		{"?page=201", "9951 to 10000 of 10000", "web-99-50"},
		{"?page=-1", "1 to 50 of 10000", "web-00-00"},
		{"?page=x", "1 to 50 of 10000", "web-00-00"},
		{"?q=WEB-42-", "1 to 50 of 100", "web-42-00"},
		{"?q=web-42-&page=2", "51 to 100 of 100", "web-42-50"},
		{"?q=198.18.7.9", "1 to 11 of 11", "web-07-09"},
		{"?q=node-03", "1 to 50 of 100", "web-03-00"},
		{"?q=lan&state=Announced", "1 to 50 of 10000", "web-00-00"},
		{"?q=lan&state=Wrong", "There is none.", ""},
	} {
		t.Run(test.query, func(t *testing.T) {
			body := get(t, handler, "/services"+test.query).Body.String()
			if !strings.Contains(body, test.wanted) {
				t.Errorf("%q is not in\n%s", test.wanted, plain(body))
			}
			_, rows, _ := strings.Cut(body, "<tbody>")
			if test.first != "" && !strings.HasPrefix(rows, `<tr><th scope="row"><a href="/services/shop/`+test.first) {
				t.Errorf("the first is not %s:\n%.200s", test.first, rows)
			}
		})
	}
}

func TestServices_LeadToTheNeighbours(t *testing.T) {
	body := get(t, newHandler(newKeeper(environment(), large())), "/services?q=web-42-&page=2").Body.String()
	if !strings.Contains(body, `href="/services?page=1&amp;q=web-42-" rel="prev"`) || strings.Contains(body, `rel="next"`) {
		t.Errorf("the last of two pages leads elsewhere:\n%s", body[strings.Index(body, "</table>"):])
	}
}
