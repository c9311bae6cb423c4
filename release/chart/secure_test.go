package chart

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/e2e/lab/build"
)

// With monitoring.secure both programs, with the rights that the chart gives them, serve their metrics to whom the API server lets
// read them, and to nobody else.
func TestChart_SecureMetricsAreForThoseWhoMay(t *testing.T) {
	c := newCluster(t)
	files, err := Render(folder, map[string]any{"monitoring": map[string]any{"secure": true}})
	must(t, err)
	all := byKey(objects(t, files))
	for _, object := range all {
		c.apply(t, object)
	}
	reader, other := c.token(t, "prometheus"), c.token(t, "other")
	must(t, c.Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "prometheus"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "daymark-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "default", Name: "prometheus"}},
	}))
	for program, object := range map[string]string{"controller": "Deployment/daymark-controller", "speaker": "DaemonSet/daymark-speaker"} {
		t.Run(program, func(t *testing.T) {
			if !strings.Contains(fmt.Sprint(all[object].Object), " --metrics-secure=true") {
				t.Fatalf("%s is not started with --metrics-secure", object)
			}
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			address := listener.Addr().String()
			must(t, listener.Close())
			arguments := []string{
				"--kubeconfig=" + c.kubeconfig(t, program), "--namespace=" + Namespace, "--health-bind-address=0",
				"--metrics-bind-address=" + address, "--metrics-secure=true",
			}
			ctx, stop := context.WithCancel(t.Context())
			running := exec.CommandContext(ctx, build.DaymarkProgram(program), arguments...)
			running.Env = append(running.Environ(), "NODE_NAME=n1", "POD_NAME=")
			must(t, running.Start())
			defer func() { stop(); _ = running.Wait() }()
			for _, ask := range []struct {
				token string
				want  int
			}{{reader, http.StatusOK}, {other, http.StatusForbidden}, {"made-up", http.StatusUnauthorized}, {"", http.StatusUnauthorized}} {
				lab.Eventually(t, timeout, fmt.Sprintf("it answers %d", ask.want), func() error { return asks(t, "https://"+address+"/metrics", ask.token, ask.want) })
			}
			if err := asks(t, "http://"+address+"/metrics", reader, http.StatusOK); err == nil {
				t.Error("it answers without TLS")
			}
		})
	}
}

// asks returns nil when the answer to a request with a token has a status.
func asks(t *testing.T, url, token string, want int) error {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	must(t, err)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true} // It signs its own.
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != want {
		return fmt.Errorf("%s", answer.Status)
	}
	return nil
}

// token is one of a new service account in the namespace default.
func (c *cluster) token(t *testing.T, name string) string {
	t.Helper()
	of := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	must(t, c.Create(t.Context(), of))
	request := &authenticationv1.TokenRequest{}
	must(t, c.SubResource("token").Create(t.Context(), of, request))
	return request.Status.Token
}
