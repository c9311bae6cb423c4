package chart

import (
	"path"
	"strings"
	"testing"

	loader3 "helm.sh/helm/v3/pkg/chart/loader"
	chartutil3 "helm.sh/helm/v3/pkg/chartutil"
	engine3 "helm.sh/helm/v3/pkg/engine"
)

// Version 3 of Helm gives the same, and refuses the same.
func TestHelm3_GivesTheSame(t *testing.T) {
	for _, s := range sets(t) {
		t.Run(s.name, func(t *testing.T) {
			texts, err := renderBy3(t, s.values)
			if s.refused != "" {
				if err == nil {
					t.Error("it is not refused")
				}
				return
			}
			must(t, err)
			files, err := Render(folder, s.values)
			must(t, err)
			for _, f := range files {
				if texts[f.Name] != strings.TrimSpace(f.Text) {
					t.Errorf("%s differs:\n%s", f.Name, texts[f.Name])
				}
				delete(texts, f.Name)
			}
			for name := range texts {
				t.Errorf("only version 3 gives %s", name)
			}
		})
	}
}

func renderBy3(t *testing.T, values map[string]any) (map[string]string, error) {
	t.Helper()
	c, err := loader3.Load(folder)
	must(t, err)
	all, err := chartutil3.ToRenderValues(c, values, chartutil3.ReleaseOptions{Name: release, Namespace: Namespace, Revision: 1, IsInstall: true}, nil)
	if err != nil {
		return nil, err
	}
	made, err := engine3.Render(c, all)
	texts := map[string]string{}
	for name, text := range made {
		if text = strings.TrimSpace(text); text != "" && path.Ext(name) == ".yaml" {
			texts[strings.TrimPrefix(name, c.Name()+"/templates/")] = text
		}
	}
	return texts, err
}
