package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/e2e/lab/keep"
)

// demo is the lab and the printer of what happens in it.
type demo struct {
	*printer
	*lab.Cluster
	web netip.Addr // the address of the Service web
	pod *lab.Pod   // which serves it
}

// show is the whole demo, run by the inner process.
func show() (int, error) {
	if err := lab.SetUp(); err != nil {
		return 1, err
	}
	d := &demo{printer: &printer{out: os.Stdout, began: time.Now()}}
	fmt.Println(bold("Daymark in a network of its own") + ": namespaces on this machine, with real Kubernetes " + lab.KubernetesVersion + " in them")
	d.scenario("The lab", d.bringUp)
	if !d.failed {
		d.scenario("1. A Service of type LoadBalancer gets an address", d.addresses)
		d.scenario("2. On the segment, one node answers for it", d.segment)
		d.scenario("3. Behind a router, all nodes share the load", d.routed)
		d.scenario("4. externalTrafficPolicy: Local goes where the pod is, and keeps the client's address", d.local)
		d.scenario("5. The health-check port says where the pod is", d.health)
		d.scenario("6. The node that holds the address drops off the network", d.failOver)
	}
	return d.end()
}

func (d *demo) end() (int, error) {
	took := time.Since(d.began)
	if len(d.failedScenarios) > 0 {
		if d.Cluster != nil {
			d.logs()
		}
		return 1, fmt.Errorf("%d scenarios failed: %s", len(d.failedScenarios), strings.Join(d.failedScenarios, "; "))
	}
	fmt.Printf("\n%s in %s.", bold("All six scenarios passed"), inWords(took))
	if keep.Asked() {
		fmt.Println()
		return 0, errors.Join(kept.Stay(d.Kubeconfig(), d.usage), keep.Remove())
	}
	fmt.Println(" Nothing of it runs any more. KEEP=1 would leave the lab running.")
	return 0, nil
}

// logs shows the ends of the programs' logs.
func (d *demo) logs() {
	show := func(p lab.Daemon) {
		if p.Process != nil {
			fmt.Printf("\n%s\n%s\n", bold("the end of "+p.Name+".log"), p.Excerpt())
		}
	}
	show(d.Controller())
	for _, n := range d.Nodes() {
		show(n.Speaker())
	}
}

func (d *demo) bringUp() {
	d.step("bring up the lab")
	d.Cluster = lab.New(d)
	router := map[lab.RouterKind]string{lab.FRR: "FRR", lab.BIRD: "BIRD", lab.GoBGP: "GoBGP"}[d.Router().Kind]
	d.shown("API server, 3 nodes with %s, a client, and a router (%s), a client behind it", d.ServiceProxy(), router)

	d.step("install Daymark")
	d.InstallDaymark()
	d.shown("kubectl apply -k config/default")

	d.step("start Daymark")
	d.StartDaymark()
	d.Apply(network)
	d.until("all speakers have met and BGP sessions are up", func() error {
		for name, state := range d.Router().Sessions() {
			if state != "Established" {
				return fmt.Errorf("the router's session with %s is %s", name, state)
			}
		}
		return nil
	})
	d.shown("controller and speakers run; the router has a BGP session with every node")
	d.pod = d.Pod("web", "n1")
	d.Pod("shop", "n2")
}

// usage says what to do with the lab that stays.
func (d *demo) usage(program string) string {
	return fmt.Sprintf(`
The lab stays up in the background. Use it:

  %[1]s kubectl get services                     kubectl in it
  %[1]s kubectl daymark status                   how all is; kubectl daymark explain web: why
  %[1]s on client curl -s http://%[2]s/    a command on one of its hosts: n1 n2 n3 client far router api
  ls %[3]s      the logs of its programs
  %[1]s end                                      end it
`, program, d.web, d.Logs())
}
