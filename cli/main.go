// Command kubectl-daymark (kubectl daymark) shows what Daymark does for Services: which addresses they have, from which
// pool, which node holds them or which routers are told, and why not. It only reads. It shows what the controller and the
// speakers have written; explain says, too, where the objects as they are now would have the controller write something else.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := newCommand(os.Stdout).ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "kubectl-daymark:", err)
		os.Exit(1)
	}
}

func newCommand(out io.Writer) *cobra.Command {
	var kubeconfig, namespace, contextName string
	root := &cobra.Command{
		Use: "kubectl-daymark", Short: "Shows what Daymark does for Services of type LoadBalancer",
		Version: version.Get().String(), SilenceUsage: true, SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(&kubeconfig, "kubeconfig", "", "file that says how to reach the API server (default: $KUBECONFIG, then ~/.kube/config)")
	root.PersistentFlags().StringVar(&contextName, "context", "", "context of the kubeconfig to use")
	root.PersistentFlags().StringVarP(&namespace, "namespace", "n", "", "namespace (default: services shows all, explain that of the context)")
	root.AddCommand(&cobra.Command{
		Use: "services", Short: "List Services of type LoadBalancer with their addresses and who announces them", Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			c, _, err := connect(kubeconfig, contextName)
			if err != nil {
				return err
			}
			seen, err := read(command.Context(), c, namespace)
			if err != nil {
				return err
			}
			return seen.list(out)
		},
	}, &cobra.Command{
		Use: "explain SERVICE", Short: "Say all that is known of one Service: its addresses, who announces them, or why not", Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			c, own, err := connect(kubeconfig, contextName)
			if err != nil {
				return err
			}
			seen, err := read(command.Context(), c, cmp.Or(namespace, own))
			if err != nil {
				return err
			}
			service, err := seen.find(args[0])
			if err != nil {
				return err
			}
			seen.explain(out, service, seen.compare(command.Context(), c, service))
			return nil
		},
	})
	return root
}

// connect makes a client as kubectl does, and gives the namespace of the context.
func connect(kubeconfig, contextName string) (client.Client, string, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	config := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: contextName})
	namespace, _, err := config.Namespace()
	if err != nil {
		return nil, "", fmt.Errorf("read the kubeconfig: %w", err)
	}
	rest, err := config.ClientConfig()
	if err != nil {
		return nil, "", fmt.Errorf("find the API server: %w", err)
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), discoveryv1.AddToScheme(scheme), v1beta1.AddToScheme(scheme)); err != nil {
		return nil, "", err
	}
	c, err := client.New(rest, client.Options{Scheme: scheme})
	if err != nil {
		return nil, "", fmt.Errorf("make a client: %w", err)
	}
	return c, namespace, nil
}
