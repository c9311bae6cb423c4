package main

import (
	"testing"

	"github.com/daymark-lb/daymark/e2e/kubelet"
)

// The lab that runs them is not part of `make test`, and a page changes more often than it runs.
func TestUpgrade_CommandsAreOnTheirPages(t *testing.T) {
	for _, c := range commands {
		if err := kubelet.Says(c.page, c.text); err != nil {
			t.Error(err)
		}
	}
	if kubelet.Says(upgradePage, "helm rollback daymark") == nil {
		t.Error("a command that no page has is found")
	}
}
