package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// As grafana/dashboard-linter has it, which cannot be had as a module.
func TestDashboards_KeepTheRulesOfTheLinter(t *testing.T) {
	ranges := regexp.MustCompile(`(rate|increase)\([^)]*\[([^\]]*)\]`)
	for _, d := range []dashboard{overview(), routing()} {
		titles := map[string]bool{}
		for i := range d.panels {
			p := &d.panels[i]
			if p.title == "" || !strings.HasSuffix(p.description, ".") || p.unit == "" || len(p.queries) == 0 || titles[p.title] {
				t.Errorf("%s: panel %q lacks something, or is there twice", d.title, p.title)
			}
			titles[p.title] = true
			for _, q := range p.queries {
				for _, match := range ranges.FindAllStringSubmatch(q.expr, -1) {
					if match[2] != "$__rate_interval" {
						t.Errorf("%s: %s has a range of its own", p.title, q.expr)
					}
				}
				if q.legend == "" {
					t.Errorf("%s: %s has no legend", p.title, q.expr)
				}
			}
		}
	}
}

func TestDashboards_AreWritten(t *testing.T) {
	folder := t.TempDir()
	if err := run(folder); err != nil {
		t.Fatal(err)
	}
	made, err := filepath.Glob(folder + "/*.json")
	if err != nil || len(made) != 2 {
		t.Fatalf("%v %v", made, err)
	}
	for _, file := range made {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var read struct {
			Panels []struct {
				GridPos struct{ X, Y, W, H int }
				Targets []struct {
					Datasource struct{ UID string }
				}
			}
		}
		if err := json.Unmarshal(text, &read); err != nil || len(read.Panels) < 10 {
			t.Errorf("%s: %v, %d panels", file, err, len(read.Panels))
		}
		places := map[[2]int]bool{}
		for _, p := range read.Panels {
			place := [2]int{p.GridPos.X, p.GridPos.Y}
			if places[place] || p.GridPos.X+p.GridPos.W > 24 || p.Targets[0].Datasource.UID != "${datasource}" {
				t.Errorf("%s: panel at %v", file, place)
			}
			places[place] = true
		}
		if is, err := os.ReadFile(root + "/config/chart/dashboards/" + filepath.Base(file)); err != nil || string(is) != string(text) {
			t.Errorf("the chart has another %s: make generate (%v)", filepath.Base(file), err)
		}
	}
}
