package nodestate

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// systemStopping reports whether systemd stops the machine. In a Pod there is no systemd to ask: the folder is that of the
// host, by which sd_booted(3) tells. The program says "stopping" with an exit status that is not 0.
func (r *Reader) systemStopping(ctx context.Context) bool {
	if _, err := os.Stat(filepath.Join("/", r.root, "run/systemd/system")); err != nil {
		return false
	}
	state, _ := exec.CommandContext(ctx, "systemctl", "is-system-running").Output()
	return strings.TrimSpace(string(state)) == "stopping"
}
