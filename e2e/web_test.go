package e2e_test

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/internal/browsertest"
)

// serve runs the plugin's page until the test ends, and returns its address.
func (p *plugin) serve() string {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), p.program, "web", "--port", "0")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+p.cluster.Kubeconfig(), "HOME="+p.t.TempDir())
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	out, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		_ = cmd.Wait() // the test's context has ended
		if code := cmd.ProcessState.ExitCode(); code != 0 {
			p.t.Errorf("kubectl daymark web ends with status %d", code)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		p.t.Fatalf("kubectl daymark web prints no address: %v", err)
	}
	return strings.TrimSpace(line)
}

// awaitReport waits until a node that did not hold an address says in its Speaker object that it does.
func awaitReport(t *testing.T, cluster *lab.Cluster, address netip.Addr, before string) (heir string) {
	t.Helper()
	lab.Eventually(t, waitTimeout, fmt.Sprintf("another than %s reports that it holds %s", before, address), func() error {
		for _, node := range cluster.NodeNames() {
			o, err := cluster.Look("daymark.io/v1beta1", "Speaker", node)
			if err != nil || node == before {
				continue
			}
			held, _, _ := unstructured.NestedSlice(o.Object, "status", "layer2", "held")
			for _, entry := range held {
				if fields, ok := entry.(map[string]any); ok && fields["address"] == address.String() {
					heir = node
					return nil
				}
			}
		}
		return fmt.Errorf("none does")
	})
	return heir
}

// TestWeb_ShowsAFailOverWithinASecond of its being in the API, in a browser.
func TestWeb_ShowsAFailOverWithinASecond(t *testing.T) {
	cluster := daymark(t)
	awaitMembers(t, cluster)
	address, _ := heldAddress(t, cluster, "shown")
	holder := awaitHolder(t, cluster, address)
	page := browsertest.New(t)
	page.Open(buildPlugin(t, cluster).serve())
	page.Until(fmt.Sprintf(`[...document.querySelectorAll("[data-part=services] tr")].some(r => /%s.*%s/.test(r.textContent.replaceAll("\n", " ")))`, address, holder))

	speaker := cluster.Node(holder).Speaker()
	t.Cleanup(func() { speaker.Start() })
	speaker.Kill()
	heir := awaitReport(t, cluster, address, holder)
	reported := time.Now()
	page.Until(fmt.Sprintf(`document.querySelector("[data-part=timeline]").textContent.includes("%s took %s over from %s")`, heir, address, holder))
	late := time.Since(reported)
	t.Logf("it is on the page %v after it was in the API", late.Round(time.Millisecond))
	if late > time.Second {
		t.Errorf("it is on the page %v after it was in the API", late)
	}
}
