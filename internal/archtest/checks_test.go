package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// TestCheckPure breaks each rule once.
func TestCheckPure(t *testing.T) {
	fset := token.NewFileSet()
	imports, _ := importing(t, fset, "fmt", "maps", "slices", "strings", "time")
	for _, test := range []struct {
		name string
		// body of a function f(m map[string]int, list []string, total int), in a package with the variable state.
		body string
		// say is part of the complaint; empty: there is none.
		say string
	}{
		{"the clock", `_ = time.Now()`, "uses time.Now"},
		{"the time that has passed", `_ = time.Since(time.Time{})`, "uses time.Since"},
		{"a function that reads the clock, as a value", `now := time.Now; _ = now`, "uses time.Now"},
		{"a method of the same name is none", `_ = time.Time{}.After(time.Time{})`, ""},
		{"sleeping", `time.Sleep(time.Second)`, "uses time.Sleep"},
		{"a timer", `_ = time.NewTimer(time.Second)`, "uses time.NewTimer"},
		{"waiting for a timer", `_ = time.After(time.Second)`, "uses time.After"},
		{"a tick", `_ = time.Tick(time.Second)`, "uses time.Tick"},
		{"a callback by the clock", `time.AfterFunc(time.Second, func() {})`, "uses time.AfterFunc"},
		{"the zone of the machine", `_ = time.Time{}.In(time.Local)`, "uses time.Local"},
		{"printing", `fmt.Println("here")`, "uses fmt.Println"},
		{"a text is none", `_ = fmt.Sprintln("here")`, ""},
		{"a goroutine", `go func() {}()`, "starts a goroutine"},
		{"a channel", `_ = make(chan int)`, "uses a channel"},
		{"a variable of the package is set", `state["a"] = 1`, "writes to a variable of the package"},
		{"a variable of the package is counted up", `state["a"]++`, "writes to a variable of the package"},
		{"a variable of the package is read", `_ = state["a"]`, ""},

		{"a slice in the order of a map", `for k := range m { list = append(list, k) }`, "the order of this loop"},
		{"a slice that is sorted afterwards", `for k := range m { list = append(list, k) }; slices.Sort(list)`, ""},
		{"a slice that was sorted before", `slices.Sort(list); for k := range m { list = append(list, k) }`, "the order of this loop"},
		{"a slice in the order of the keys", `for k := range maps.Keys(m) { list = append(list, k) }`, "the order of this loop"},
		{"the last one wins", `for _, v := range m { total = v }`, "the order of this loop"},
		{"the first one wins", `for k := range m { _ = k; break }`, "the order of this loop"},
		{"whichever comes first is returned", `_ = func() string { for k := range m { return k }; return "" }`, "the order of this loop"},
		{"whether there is one", `_ = func() bool { for _, v := range m { if v > 1 { return true } }; return false }`, ""},
		{"a sum", `for _, v := range m { total += v }`, ""},
		{"a sum of texts", `text := ""; for k := range m { text += k }; _ = text`, "the order of this loop"},
		{"another map", `other := map[int]string{}; for k, v := range m { other[v] = k }`, ""},
		{"a flag", `all := true; for _, v := range m { all = all && v > 1 }; _ = all`, ""},
		{"deleting", `for k, v := range m { if v > 1 { delete(m, k) } }`, ""},
		{"a call that does who knows what", `for k := range m { strings.ToLower(k) }`, "the order of this loop"},
		{"a loop with a reason", "// order does not matter: the calls do nothing\nfor k := range m { strings.ToLower(k) }", ""},
		{"a loop in a loop over a list", `for range 2 { for k := range m { list = append(list, k) } }`, "the order of this loop"},
		{"keys that are sorted at once", `_ = slices.Sorted(maps.Keys(m))`, ""},
		{"keys that are not sorted", `_ = slices.Collect(maps.Keys(m))`, "the order of these keys"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file, err := parser.ParseFile(fset, test.name+".go", `package p
import ("fmt"; "maps"; "slices"; "strings"; "time")
var state = map[string]int{}
var _ = []any{fmt.Sprint, maps.Keys[map[string]int], slices.Sort[[]int], strings.ToLower, time.Second}
func f(m map[string]int, list []string, total int) {
`+test.body+`
}`, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(checkPure(check(t, fset, "p", imports, []*ast.File{file})), "\n")
			if test.say == "" && got != "" || !strings.Contains(got, test.say) {
				t.Errorf("complaints are %q, want %q", got, test.say)
			}
		})
	}
}
