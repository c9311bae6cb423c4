// Package rbac has the rights of Daymark's programs as the manifests give them. It refuses to know who has them.
package rbac

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

//go:embed controller.yaml speaker.yaml
var manifests embed.FS

// Role is a ClusterRole, or a Role in the namespace that Daymark runs in. The ServiceAccount that has it has its name.
type Role struct {
	ServiceAccount string
	Namespaced     bool
	Rules          []rbacv1.PolicyRule
}

// Roles of the controller and the speaker.
func Roles() (all []Role, err error) {
	for _, file := range []string{"controller.yaml", "speaker.yaml"} {
		text, err := manifests.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
		for {
			var role rbacv1.Role // a ClusterRole has the same fields, and more that is not used
			if err := documents.Decode(&role); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, fmt.Errorf("read %s: %w", file, err)
			}
			if role.Kind == "Role" || role.Kind == "ClusterRole" {
				all = append(all, Role{role.Name, role.Kind == "Role", role.Rules})
			}
		}
	}
	return all, nil
}
