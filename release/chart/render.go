// Package chart renders the chart of config/chart with Helm's library, and keeps the files that are made from it: the manifests of
// config/rbac, config/controller and config/speaker, the chart's copy of the definitions, and the schema of its values. It refuses to
// install anything.
package chart

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// Namespace is the one that the manifests are for.
const Namespace = "daymark-system"

// File is what a template gives.
type File struct {
	// Name is the template's path in the folder templates.
	Name string
	Text string
}

// Render renders the chart in a folder with some values, in order of the templates' names, for no cluster, as `helm template` does. A value that
// is missing is an error. Templates that give nothing are left out.
func Render(folder string, values map[string]any) ([]File, error) {
	return render(engine.Engine{Strict: true}, nil, folder, values)
}

// render is Render with an engine, which may have a cluster for templates to look at, and with what that cluster can; nil: what each can.
func render(e engine.Engine, can *common.Capabilities, folder string, values map[string]any) ([]File, error) {
	c, err := loader.Load(folder)
	if err != nil {
		return nil, fmt.Errorf("load the chart: %w", err)
	}
	if err := chartutil.ProcessDependencies(c, values); err != nil {
		return nil, fmt.Errorf("look at the dependencies: %w", err)
	}
	all, err := util.ToRenderValues(c, values, common.ReleaseOptions{Name: "daymark", Namespace: Namespace, Revision: 1, IsInstall: true}, can)
	if err != nil {
		return nil, err
	}
	texts, err := e.RenderWithContext(context.Background(), c, all)
	if err != nil {
		return nil, err
	}
	var files []File
	for name, text := range texts {
		name = strings.TrimPrefix(name, c.Name()+"/templates/")
		if strings.TrimSpace(text) != "" && path.Ext(name) == ".yaml" {
			files = append(files, File{name, strings.TrimLeft(text, "\n")})
		}
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return files, nil
}

// Objects are those in a file.
func (f File) Objects() (objects []*unstructured.Unstructured, err error) {
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(f.Text), len(f.Text))
	for {
		object := &unstructured.Unstructured{}
		switch err := decoder.Decode(&object.Object); {
		case errors.Is(err, io.EOF):
			return objects, nil
		case err != nil:
			return nil, fmt.Errorf("read %s: %w", f.Name, err)
		case len(object.Object) > 0:
			objects = append(objects, object)
		}
	}
}

// IsHook reports whether Helm makes an object for a moment only.
func IsHook(object *unstructured.Unstructured) bool {
	return object.GetAnnotations()["helm.sh/hook"] != ""
}
