// Command conformance installs what would be published on a cluster with real kubelets, on this machine, in namespaces, and shows that
// an address is reached by ARP and by BGP. With KEEP=1 it leaves the cluster running, and itself as bin/conformance, to use it.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/daymark-lb/daymark/e2e/kubelet"
	"github.com/daymark-lb/daymark/e2e/lab/build"
	"github.com/daymark-lb/daymark/e2e/lab/keep"
	"github.com/daymark-lb/daymark/e2e/lab/sandbox"
)

const usage = `usage: conformance lab                 install Daymark on real nodes; KEEP=1 leaves them running
       conformance build               build what that needs into the cache and do no more
       conformance suite VARIANT FILE  run Kubernetes' own tests of LoadBalancer Services and write their results into that section
                                       of FILE. VARIANT is bgp or layer2, and then, if wanted: -ipv6, a cluster without IPv4;
                                       -iptables, kube-proxy in that mode; -services, the other tests of Services that concern a provider
       conformance try VARIANT FOCUS   run those of them that match the expression, and write nothing
       conformance disturb FILE        measure what disturbances cost, and write that into its section of FILE
       conformance disturb only EXPR   make those of them that match the expression, and write nothing
       conformance upgrade COMMIT FILE install a release of the commit, go to this version and back, and uninstall, by the chart and by
                                       manifests, and write what users saw into the section "upgrade" of FILE
       conformance kubectl ARGUMENTS   run kubectl in the lab that was left running
       conformance on HOST COMMAND     run a command on a host of it: n1 n2 n3 client far router api
       conformance end                 end it
`

// kept is the lab left running. It is beside the program bin/conformance.
const kept keep.File = "bin/conformance.json"

func main() {
	sandbox.Exit(run(context.Background(), os.Args[1:]))
}

// run returns the exit status, and an error when there is more to say.
func run(ctx context.Context, arguments []string) (int, error) {
	if sandbox.Inside() {
		return inside(arguments)
	}
	if asked, err := kept.Run(arguments); asked {
		return 0, err
	}
	if wantsSuite(arguments) {
		if _, err := parseVariant(arguments[1]); err != nil {
			return 2, err
		}
		return sandbox.Enter(ctx, os.Stdout, build.Kubernetes, build.Kubelet, build.Suite, build.Release)
	}
	switch what := strings.Join(arguments, " "); {
	case len(arguments) == 2 && arguments[0] == "disturb", len(arguments) == 3 && what == "disturb only "+arguments[2]:
		return sandbox.Enter(ctx, os.Stdout, build.Kubernetes, build.Kubelet, build.Release)
	case len(arguments) == 3 && arguments[0] == "upgrade":
		return sandbox.Enter(ctx, os.Stdout, build.Kubernetes, build.Kubelet, build.Helm, build.Previous(arguments[1]), build.Release)
	case what == "build":
		return 0, errors.Join(build.Kubernetes(ctx, os.Stdout), build.Kubelet(ctx, os.Stdout))
	case what == "lab":
		if keep.Asked() {
			if err := kept.Free(); err != nil {
				return 1, err
			}
		}
		return sandbox.Enter(ctx, os.Stdout, build.Kubernetes, build.Kubelet, build.Release)
	}
	fmt.Fprint(os.Stderr, usage)
	return 2, nil
}

// wantsSuite tells whether Kubernetes' own tests are asked for.
func wantsSuite(arguments []string) bool {
	return len(arguments) == 3 && (arguments[0] == "suite" || arguments[0] == "try")
}

// inside is the whole, run by the inner process.
func inside(arguments []string) (status int, err error) {
	if err := sandbox.SetUp(); err != nil {
		return 1, err
	}
	t := &narrator{}
	if !keep.Asked() { // one that is kept is ended by a signal, and has its own way
		t.endOnSignal()
	}
	defer func() {
		t.end()
		if t.Failed() {
			status = 1
		}
		if keep.Asked() {
			err = errors.Join(err, keep.Remove())
		}
	}()
	return 0, t.tell(func() error {
		switch arguments[0] {
		case "suite", "try":
			v, err := parseVariant(arguments[1])
			if err != nil {
				return err
			}
			if arguments[0] == "try" {
				return runSuite(t, v, "", arguments[2])
			}
			return runSuite(t, v, arguments[2], v.focus())
		case "disturb":
			if len(arguments) == 3 {
				return runDisturbances(t, "", arguments[2])
			}
			return runDisturbances(t, arguments[1], "")
		case "upgrade":
			return runUpgrade(t, arguments[2])
		default:
			return install(t)
		}
	})
}

// serving starts a cluster on which what would be published is installed, and serves an address by ARP and one by BGP.
func serving(t *narrator) (c *kubelet.Cluster, version string, lan, wan netip.Addr, err error) {
	kubelet.Need(t)
	release, err := kubelet.ReadRelease()
	if err != nil {
		return nil, "", lan, wan, err
	}
	c = kubelet.Start(t, kubelet.Settings{Images: release.Images})
	c.Install(release)
	lan, wan = c.Serve()
	return c, release.Version, lan, wan, nil
}

// install installs Daymark, shows that it serves, and leaves it running if that is asked for.
func install(t *narrator) error {
	c, version, lan, wan, err := serving(t)
	if err != nil {
		return err
	}
	t.Logf("Daymark %s runs on %d nodes; %s is reached by ARP, %s by BGP", version, len(c.Nodes), lan, wan)
	if !keep.Asked() {
		return nil
	}
	return kept.Stay(c.Kubeconfig, func(program string) string { return howTo(program, c, kubelet.URL(lan), kubelet.URL(wan)) })
}

// howTo says what to do with the lab that stays.
func howTo(program string, c *kubelet.Cluster, lan, wan string) string {
	return "\nThe cluster stays up in the background. Use it:\n\n" + keep.Usage(program,
		[2]string{"kubectl get nodes,pods -A", "kubectl in it"},
		[2]string{"kubectl daymark status", "how all is, by the plugin, after make build"},
		[2]string{"on client curl -s " + lan, "a command on one of its hosts: n1 n2 n3 client far router api"},
		[2]string{"on far curl -s " + wan, ""},
		[2]string{"on api bash", "a shell beside the API server, with kubectl"},
		[2]string{"end", "end it"},
	) + fmt.Sprintf("\nThe shell of its router, FRR:\n\n  %s on router %s\n", program, c.Router.Shell()) +
		"\nLogs are in " + c.Logs() + ", those of the nodes' programs in n1, n2 and n3.\n"
}
