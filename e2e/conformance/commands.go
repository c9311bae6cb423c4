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
	applyFirst      = command{installPage, "kubectl apply -f install.yaml"}
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
)

// commands are all of them.
var commands = []command{
	helmInstall, applyFirst, speakersReady, controllerReady, helmUpgrade, helmRollback, applyNext, changePort,
	deleteAnnounced, helmUninstall, deleteManifests, deleteDefinitions, deleteNamespace,
}

// do runs a command of a page.
func do(a kubelet.Administrator, c command) { a.Do(c.page, c.text) }
