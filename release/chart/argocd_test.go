package chart

import (
	"os"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
	"sigs.k8s.io/yaml"
)

// The script for Argo CD in docs/ready.md, run by the interpreter that Argo CD has, with the libraries that it gives to scripts.
func TestArgoCD_OfWhatTheControllerWrites(t *testing.T) {
	script := healthScript(t)
	for _, test := range waits {
		test.eachKind(t, func(t *testing.T, object map[string]any) {
			status, message := healthOf(t, script, object)
			if status != test.argoCD || test.message != "" && message != test.message {
				t.Errorf("it is %s with %q, not %s with %q", status, message, test.argoCD, test.message)
			}
		})
	}
	status, message := healthOf(t, script, map[string]any{"kind": "Speaker", "metadata": map[string]any{"generation": int64(2)}})
	if status != "Healthy" {
		t.Errorf("a Speaker, which nobody waits for, is %s with %q", status, message)
	}
}

// healthScript cuts the script out of the page.
func healthScript(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/ready.md")
	must(t, err)
	_, rest, _ := strings.Cut(string(page), "```text\nresource.customizations: |\n")
	block, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("docs/ready.md has no script for Argo CD")
	}
	var settings struct {
		Customizations string `json:"resource.customizations"`
	}
	must(t, yaml.UnmarshalStrict([]byte("resource.customizations: |\n"+block), &settings))
	var scripts map[string]map[string]string
	must(t, yaml.UnmarshalStrict([]byte(settings.Customizations), &scripts))
	script := scripts["daymark.io/*"]["health.lua"]
	if script == "" {
		t.Fatalf("docs/ready.md has no script for daymark.io/*: %v", scripts)
	}
	return script
}

// healthOf runs a script with an object as obj.
func healthOf(t *testing.T, script string, object map[string]any) (status, message string) {
	t.Helper()
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable, lua.StringLibName: lua.OpenString,
	} {
		must(t, state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)))
	}
	state.SetGlobal("obj", valueOf(t, object))
	must(t, state.DoString(script))
	result, is := state.Get(-1).(*lua.LTable)
	if !is {
		t.Fatalf("it returns %s", state.Get(-1))
	}
	text := func(key string) string {
		if value, is := result.RawGetString(key).(lua.LString); is {
			return string(value)
		}
		return ""
	}
	return text("status"), text("message")
}

// valueOf is a value of JSON for a script.
func valueOf(t *testing.T, value any) lua.LValue {
	t.Helper()
	switch value := value.(type) {
	case string:
		return lua.LString(value)
	case int64:
		return lua.LNumber(value)
	case bool:
		return lua.LBool(value)
	case nil:
		return lua.LNil
	case map[string]any:
		table := &lua.LTable{}
		for key, field := range value {
			table.RawSetString(key, valueOf(t, field))
		}
		return table
	case []any:
		table := &lua.LTable{}
		for _, element := range value {
			table.Append(valueOf(t, element))
		}
		return table
	default:
		t.Fatalf("no value of JSON: %T", value)
		return nil
	}
}
