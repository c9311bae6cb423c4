package controlplane

import (
	"fmt"
	"path/filepath"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/e2e/lab/check"
)

// Identity writes the file NAME.kubeconfig with a token of a service account, which is good for as long as the object that
// it is bound to, if any, is there. It returns the file's path.
func (p *ControlPlane) Identity(namespace, account, name string, bound *authenticationv1.BoundObjectReference) (string, error) {
	ctx, cancel := check.Context()
	defer cancel()
	day := int64(24 * 60 * 60)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &day, BoundObjectRef: bound}}
	object := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: account}}
	if err := p.API.SubResource("token").Create(ctx, object, request); err != nil {
		return "", fmt.Errorf("ask for a token of %s: %w", account, err)
	}
	path := filepath.Join(p.dir, name+".kubeconfig")
	return path, p.WriteKubeconfig(path, request.Status.Token)
}
