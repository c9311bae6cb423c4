package validate

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// pool is one in lines of its own, whose address in line 6 is none.
const pool = "apiVersion: daymark.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: NAME}\nspec:\n  addresses:\n  - 192.0.2.300\n"

// places of what is wrong in a text.
func places(t *testing.T, file, text string) (all []string) {
	t.Helper()
	documents, found := Read(file, strings.NewReader(text))
	checked, err := Check(t.Context(), documents, &Others{})
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range sorted(append(found, checked...)) {
		place := fmt.Sprint(one.Line)
		if one.Column > 0 {
			place += fmt.Sprintf(":%d", one.Column)
		}
		all = append(all, place)
	}
	return all
}

func TestRead_NamesTheLineOfTheFault(t *testing.T) {
	const begin = "# ours\n\napiVersion: daymark.io/v1beta1\nkind: IPAddressPool\n" // four lines
	for name, test := range map[string]struct {
		text string
		want int
	}{
		"an indent too small below a comment":   {begin + "metadata:\n  name: a\n spec: {}\n", 7},
		"an indent too small":                   {"kind: IPAddressPool # daymark.io\nmetadata:\n  name: a\n spec: {}\n", 4},
		"an item among fields":                  {begin + "spec: {}\n- a\nmetadata: {}\n", 6},
		"a field among items":                   {begin + "spec:\n  - a\n  - b\n  c: d\n", 8},
		"a bracket that is not closed":          {begin + "spec: {}\nmetadata: [a\nx: y\n", 6},
		"a bracket that is not closed, above":   {"x: [daymark.io\ny: z\n", 1},
		"a quote that is not closed":            {begin + "metadata: {name: 'a}\nspec: {}\n", 5},
		"a quote that is not closed, above":     {"\"daymark.io: x\ny: z\n", 1},
		"a tab":                                 {begin + "metadata:\n\tname: a\n", 6},
		"a field twice":                         {begin + "metadata: {}\nspec: {}\nmetadata: {}\n", 7},
		"an anchor that there is not":           {begin + "metadata:\n  name: *none\n", 6},
		"an anchor in itself":                   {begin + "metadata: &a\n  name: x\n  labels: *a\n", 7},
		"braces of a template":                  {begin + "metadata:\n  name: {{ .Values.name }}\n", 6},
		"a control character":                   {begin + "metadata:\n  name: \"\x01\"\n", 6},
		"a second document":                     {"a: b\n---\nx: y # daymark.io\nz: [\n---\na: b\n", 4},
		"a document in the line of a separator": {begin + "metadata: {name: a}\nspec: {addresses: [192.0.2.1]}\n--- {a: b}\n---\n", 7},
		"a list":                                {"---\n- daymark.io\n", 2},
		"no version":                            {"# ours\nkind: IPAddressPool\nmetadata: {name: a}\n", 2},
		"a version that there is not":           {"kind: IPAddressPool\nmetadata: {name: a}\napiVersion: daymark.io/v7\n", 3},
	} {
		t.Run(name, func(t *testing.T) {
			if got := places(t, "x.yaml", test.text); len(got) != 1 || strings.Split(got[0], ":")[0] != fmt.Sprint(test.want) {
				t.Errorf("it is in line %v, want %d", got, test.want)
			}
		})
	}
}

func TestRead_NamesTheLineInJSON(t *testing.T) {
	text := "{\"apiVersion\": \"daymark.io/v1beta1\",\n\"metadata\": {\n\"name\": \"a\"\n\"x\": 1\n}}\n"
	if got := places(t, "x.json", text); !slices.Equal(got, []string{"4"}) {
		t.Errorf("it is in line %v, want 4", got)
	}
}

func TestRead_FindsEveryDocument(t *testing.T) {
	named := func(name string) string { return strings.Replace(pool, "NAME", name, 1) }
	inJSON := func(name string) string {
		return `{"apiVersion": "daymark.io/v1beta1", "kind": "IPAddressPool", "metadata": {"name": "` + name + `"}, "spec": {"addresses": ["bad"]}}`
	}
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"separators":                  {"---\n---\n" + named("a") + "--- # b\n\n" + named("b"), []string{"8:5", "16:5"}},
		"carriage returns":            {strings.ReplaceAll(named("a")+"---\n"+named("b"), "\n", "\r\n"), []string{"6:5", "13:5"}},
		"JSON in lines":               {inJSON("a") + "\n" + inJSON("b") + "\n", []string{"1:113", "2:113"}},
		"JSON in one line":            {inJSON("ä") + " " + inJSON("b"), []string{"1:84", "1:113", "1:234"}},
		"JSON after JSON and YAML":    {named("a") + "---\n" + inJSON("b") + "\n\n" + inJSON("c") + "\n", []string{"6:5", "8:113", "10:113"}},
		"YAML that begins as JSON":    {"{apiVersion: daymark.io/v1beta1, kind: IPAddressPool,\nmetadata: {name: a}, spec: {addresses: [bad]}}\n", []string{"2:41"}},
		"what is behind a separator":  {named("a") + "--- {x: y}\n" + named("b"), []string{"6:5", "7", "13:5"}},
		"a document that is not YAML": {named("a") + "---\n# daymark.io\nx: [\n\n---\n" + named("b"), []string{"6:5", "9", "17:5"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := places(t, "x.yaml", test.text); !slices.Equal(got, test.want) {
				t.Errorf("found in %v, want %v", got, test.want)
			}
		})
	}
}
