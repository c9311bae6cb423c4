package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// tracePort is that of the chart.
const tracePort = 7474

// traceRights are those of the chart, with a user who may trace.
func traceRights(t *testing.T) string {
	t.Helper()
	template, err := os.ReadFile(filepath.Join("..", "config", "chart", "templates", "rbac", "trace.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(template), "{{ .Release.Namespace | toYaml }}", lab.Namespace)
	return regexp.MustCompile(`(?m)^\{\{-.*\}\}$`).ReplaceAllString(text, "") + `
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {namespace: ` + lab.Namespace + `, name: tracer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: daymark-trace}
subjects: [{kind: User, name: tracer, apiGroup: rbac.authorization.k8s.io}]
`
}

// tracing is a trace that runs until the test ends, and what it has printed so far.
type tracing struct {
	t    *testing.T
	file string
}

// trace begins to trace as a user who may do nothing else.
func (p *plugin) trace(t *testing.T, line string) *tracing {
	t.Helper()
	running := &tracing{t, filepath.Join(t.TempDir(), "trace")}
	output, err := os.Create(running.file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, p.program, strings.Fields("trace "+line+" --as tracer")...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+p.cluster.Kubeconfig(), "HOME="+t.TempDir())
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); _ = cmd.Wait(); _ = output.Close() })
	return running
}

// says waits until it has printed a line like this.
func (r *tracing) says(format string, args ...any) {
	r.t.Helper()
	line := regexp.MustCompile("(?m)" + fmt.Sprintf(format, args...))
	lab.Eventually(r.t, waitTimeout, "the trace says "+line.String(), func() error {
		if text := r.text(); !line.MatchString(text) {
			return fmt.Errorf("it says\n%s", text)
		}
		return nil
	})
}

func (r *tracing) text() string {
	text, err := os.ReadFile(r.file)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

// TestTrace_EachNodeSaysWhatItDoes to a user who may trace and do nothing else, and to nobody else.
func TestTrace_EachNodeSaysWhatItDoes(t *testing.T) {
	lab.Need(t, lab.FRR)
	cluster := daymark(t)
	cluster.UseSpeakerFlags(fmt.Sprintf("--trace-bind-address=127.0.0.1:%d", tracePort))
	cluster.ForwardPortsOfSpeakers("trace", tracePort)
	cluster.Apply(traceRights(t))
	p := buildPlugin(t, cluster)
	t.Run("by layer 2", func(t *testing.T) { traceLayer2(t, cluster, p) })
	t.Run("by BGP", func(t *testing.T) { traceBGP(t, cluster, p) })
	if stdout, stderr, status := p.run("trace 192.0.2.210 --as somebody"); status != 1 || !strings.Contains(stderr, "the Role daymark-trace") {
		t.Errorf("who may not trace is shown, with status %d:\n%s%s", status, stdout, stderr)
	}
}

// traceLayer2: the holder of an address answers who asks for it, the others do not since it holds it, and claim it when it ends.
func traceLayer2(t *testing.T, cluster *lab.Cluster, p *plugin) {
	cluster.Pod("traced", "n1")
	cluster.Apply(segmentPool("traced", "192.0.2.210-192.0.2.210"))
	cluster.Apply(service("traced", "traced"))
	address, _ := cluster.Service("traced").AwaitAddress()
	holder := awaitHolder(t, cluster, address)
	running := p.trace(t, address.String())
	for _, node := range cluster.NodeNames() {
		decision := holder + " holds it"
		if node == holder {
			decision = "this node holds it"
		}
		running.says("%s +layer2 +%s$", node, decision)
	}
	cluster.Client().WhoHas(address)
	for _, node := range cluster.NodeNames() {
		decision := "not answered: " + holder + " holds it"
		if node == holder {
			decision = "answered"
			running.says("%s +ARP out eth0 +%s is at [0-9a-f:]+, to .*: the answer$", node, address)
		}
		running.says("%s +ARP in  eth0 +(probe: )?who has %s, by .*: %s$", node, address, decision)
	}

	cluster.Node(holder).Speaker().Stop()
	t.Cleanup(cluster.StartDaymark)
	heir := awaitHolder(t, cluster, address)
	running.says("%s +gossip out %s +claim: %s holds it, term [0-9]+: it counts from now on$", heir, heir, heir)
	running.says("%s +ARP out eth0 +announcement: %s is at [0-9a-f:]+: announced: this node holds it$", heir, address)
	running.says("not seen from now on: what node %s sees", holder)
	stdout, stderr, status := p.run("trace " + address.String() + " --as tracer --node " + holder)
	if status != 1 || !strings.Contains(stderr, "connection refused") {
		t.Errorf("of a node without a speaker is said, with status %d:\n%s%s", status, stdout, stderr)
	}
}

// traceBGP: what a router is told, and that BFD does not reach it any more.
func traceBGP(t *testing.T, cluster *lab.Cluster, p *plugin) {
	address := underBFD(t, cluster, lab.FRR, bfdInterval, "told", "198.19.12.0/24")
	running := p.trace(t, address.String()+" --node n2")
	running.says("n2 +layer2 +no L2Advertisement announces it$")
	running.says("n2 +BGP +%s/32 is to be announced to told$", address)
	cluster.Delete(service("told", "told"))
	running.says("n2 +BGP out told +UPDATE with %s/32: withdrawn: this node announces it no more$", address)
	cluster.Apply(service("told", "told"))
	running.says("n2 +BGP out told +UPDATE with %s/32: announced with .*Nexthop: 192.0.2.12", address)
	cluster.Router().Stop()
	running.says("n2 +BFD told +Down, before Up: ")
	if text := running.text(); strings.Contains(text, "n1 ") || strings.Contains(text, "n3 ") {
		t.Errorf("other nodes are shown:\n%s", text)
	}
}
