// Command kube is the Kubernetes of the lab in one binary: etcd, kube-apiserver, kube-controller-manager, kube-proxy
// and kubectl, and the lab's own service proxy, told apart by the name it is called by (a symbolic link) or by its first
// argument.
//
// It is a module of its own so that the product's go.mod stays free of Kubernetes' own servers. One binary links once,
// which is what takes most of the time when five are built from the same packages. It adds nothing to the programs.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"

	serviceproxy "github.com/daymark-lb/daymark/e2e/kube/proxy"
)

func main() {
	programs := map[string]func() int{
		"etcd":                    func() int { etcdmain.Main(os.Args); return 0 },
		"kube-apiserver":          func() int { return run(apiserver.NewAPIServerCommand()) },
		"kube-controller-manager": func() int { return run(controllermanager.NewControllerManagerCommand()) },
		"kube-proxy":              func() int { return run(proxy.NewProxyCommand()) },
		"kubectl":                 runKubectl,
		"service-proxy":           func() int { return serviceproxy.Main(os.Args[1:]) },
	}
	name := filepath.Base(os.Args[0])
	if programs[name] == nil && len(os.Args) > 1 {
		name, os.Args = os.Args[1], os.Args[1:]
	}
	program := programs[name]
	if program == nil {
		fmt.Fprintf(os.Stderr, "kube: call as etcd, kube-apiserver, kube-controller-manager, kube-proxy, kubectl or service-proxy, not %q\n", name)
		os.Exit(2)
	}
	os.Exit(program())
}

func run(command *cobra.Command) int { return cli.Run(command) }

func runKubectl() int {
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err)
		return 1
	}
	return 0
}
