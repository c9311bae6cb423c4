package main

import "github.com/daymark-lb/daymark/e2e/kubelet"

// Pages whose commands are run.
const (
	installPage      = "docs/install.md"
	upgradePage      = "docs/upgrade.md"
	uninstallPage    = "docs/uninstall.md"
	requirementsPage = "docs/requirements.md"
)

// command is one that a page has.
type command struct{ page, text string }

// Commands of the pages.
var (
	helmInstall     = command{installPage, "helm install daymark config/chart --namespace daymark-system --create-namespace --values values.yaml"}
	helmInstallFile = command{installPage, "helm install daymark daymark-1.2.3.tgz --namespace daymark-system --create-namespace --values values.yaml"}
	applyFirst      = command{installPage, "kubectl apply -f install.yaml"}
	createNamespace = command{installPage, "kubectl create namespace daymark-system"}
	labelNamespace  = command{installPage, "kubectl label namespace daymark-system pod-security.kubernetes.io/enforce=privileged"}
	poolsReady      = command{installPage, "kubectl wait --for=condition=Ready dmpool --all"}
	speakersReady   = command{installPage, "kubectl -n daymark-system rollout status daemonset/daymark-speaker"}
	controllerReady = command{installPage, "kubectl -n daymark-system rollout status deployment/daymark-controller"}
	helmUpgrade     = command{upgradePage, "helm upgrade daymark config/chart --namespace daymark-system --values values.yaml"}
	helmRollback    = command{upgradePage, "helm rollback daymark --namespace daymark-system"}
	applyNext       = command{upgradePage, "kubectl apply -f install.yaml"}
	changePort      = command{requirementsPage, helmUpgrade.text + " --set ports.gossip=7956"}

	deleteAnnounced = command{
		uninstallPage,
		"kubectl delete bgpadvertisements.daymark.io,l2advertisements.daymark.io,bgppeers.daymark.io --all",
	}
	helmUninstall     = command{uninstallPage, "helm uninstall daymark --namespace daymark-system"}
	deleteManifests   = command{uninstallPage, "kubectl delete -f install.yaml"}
	deleteDefinitions = command{uninstallPage, `kubectl get crd -o name | grep '\.daymark\.io$' | xargs kubectl delete`}
	deleteNamespace   = command{uninstallPage, "kubectl delete namespace daymark-system"}
	forgetAddress     = command{
		uninstallPage,
		`kubectl patch service NAME -n NAMESPACE --subresource=status --type=merge -p '{"status":{"loadBalancer":null,"conditions":null}}'`,
	}
)

// commands are all of them.
var commands = []command{
	createNamespace, labelNamespace, helmInstallFile, helmInstall, applyFirst, poolsReady, speakersReady, controllerReady, helmUpgrade, helmRollback, applyNext, changePort,
	deleteAnnounced, helmUninstall, deleteManifests, deleteDefinitions, deleteNamespace, forgetAddress,
}

// do runs a command of a page. Words that stand for something are given with what they stand for, in pairs.
func do(a kubelet.Administrator, c command, words ...string) { a.Do(c.page, c.text, words...) }
