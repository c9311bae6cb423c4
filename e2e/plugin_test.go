package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// plugin is kubectl-daymark as it is built.
type plugin struct {
	t       *testing.T
	program string
	cluster *lab.Cluster
}

// builtPlugin is built once for all tests.
var builtPlugin = sync.OnceValues(func() (string, error) { return lab.BuildPlugin(context.Background()) })

func buildPlugin(t *testing.T, cluster *lab.Cluster) *plugin {
	t.Helper()
	program, err := builtPlugin()
	if err != nil {
		t.Fatal(err)
	}
	return &plugin{t, program, cluster}
}

// run it with the administrator's kubeconfig.
func (p *plugin) run(line string) (stdout, stderr string, status int) {
	p.t.Helper()
	var out, remarks strings.Builder
	cmd := exec.CommandContext(p.t.Context(), p.program, strings.Fields(line)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+p.cluster.Kubeconfig(), "HOME="+p.t.TempDir())
	cmd.Stdout, cmd.Stderr = &out, &remarks
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		p.t.Fatalf("run the plugin: %v", err)
	}
	return out.String(), remarks.String(), cmd.ProcessState.ExitCode()
}

// says waits until a command line prints some texts and ends with a status: the controller writes texts after addresses.
func (p *plugin) says(line string, status int, wanted ...string) {
	p.t.Helper()
	lab.Eventually(p.t, waitTimeout, fmt.Sprintf("kubectl daymark %s says %q", line, wanted), func() error {
		stdout, stderr, got := p.run(line)
		for _, text := range wanted {
			if !strings.Contains(stdout, text) || got != status {
				return fmt.Errorf("status %d: %s%s", got, stdout, stderr)
			}
		}
		return nil
	})
}

const tenant = `
apiVersion: v1
kind: Namespace
metadata: {name: plugin-tenant}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {namespace: plugin-tenant, name: reader}
rules:
- {apiGroups: [""], resources: [services], verbs: [get, list, watch]}
- {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [get, list, watch]}
- {apiGroups: [events.k8s.io], resources: [events], verbs: [get, list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {namespace: plugin-tenant, name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: User, name: plugin-tenant, apiGroup: rbac.authorization.k8s.io}]
`

// TestPlugin_ExplainsALivingCluster: a Service that is announced, one that waits, and what a tenant may see of them.
func TestPlugin_ExplainsALivingCluster(t *testing.T) {
	cluster := daymark(t)
	p := buildPlugin(t, cluster)
	cluster.Apply(tenant)
	cluster.Pod("seen", "n1")
	cluster.Apply(segmentPool("seen", "192.0.2.210-192.0.2.210"))
	cluster.Apply(service("seen", "seen"))
	address, _ := cluster.Service("seen").AwaitAddress()
	holder := awaitHolder(t, cluster, address)
	awaitCondition(t, cluster.Service("seen"), "daymark.io/Announced", "True")
	cluster.Apply(strings.Replace(service("waits", "seen"), "name: waits", "name: waits, namespace: plugin-tenant", 1))
	p.says("services -n plugin-tenant", 0, "no: PoolExhausted")
	p.says("explain address "+address.String(), 0, "is held by "+holder)
	p.says("explain service seen -n default", 0, "is held by "+holder, "L2Advertisement seen", "seen  gave "+address.String())
	p.says("explain node "+holder, 0, address.String(), "by layer 2: holds it")
	p.says("explain pool seen", 1, "1 given, 0 left", "L2Advertisement seen")
	p.says("explain service waits -n plugin-tenant", 1, "PoolExhausted", "seen  is exhausted")
	p.says("problems", 1, "Service plugin-tenant/waits", "PoolExhausted")
	p.says("status", 1, "wait for an address", "Service plugin-tenant/waits")
	p.says("version", 0, "kind        ipaddresspools.daymark.io v1beta1")

	stdout, stderr, status := p.run("services --as plugin-tenant -n plugin-tenant -o json")
	var list struct {
		Items []struct{ Name, Reason string }
	}
	if err := json.Unmarshal([]byte(stdout), &list); err != nil || status != 0 || len(list.Items) != 1 || list.Items[0].Reason != "PoolExhausted" {
		t.Errorf("a tenant is shown, with status %d and error %v:\n%s", status, err, stdout)
	}
	if !strings.Contains(stderr, "you may not list speakers.daymark.io") {
		t.Errorf("a tenant is not told what is not seen:\n%s", stderr)
	}
	p.says("explain service waits --as plugin-tenant -n plugin-tenant", 1, "PoolExhausted", "not compared with the objects as they are now")
}
