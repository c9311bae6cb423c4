package view

import (
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// definitions of Daymark's kinds.
func (c *Cluster) definitions() (found []DefinitionVersion) {
	for _, o := range all[*apiextensionsv1.CustomResourceDefinition](c) {
		if o.Spec.Group != v1beta1.GroupVersion.Group {
			continue
		}
		line := DefinitionVersion{Name: o.Name}
		for i := range o.Spec.Versions {
			if o.Spec.Versions[i].Served {
				line.Served = append(line.Served, o.Spec.Versions[i].Name)
			}
		}
		found = append(found, line)
	}
	return found
}
