package link

import (
	"os"
	"path/filepath"
	"strings"
)

// StrictReversePath reports whether the kernel drops IPv4 packets that arrive on an interface when its route back leaves by
// another one (RFC 3704 section 2.2): the greater of the interface's rp_filter and that of all is 1.
func (w *Watcher) StrictReversePath(name string) bool {
	return max(setting("all", "rp_filter"), setting(name, "rp_filter")) == "1"
}

// setting reads what the kernel has set for IPv4 on an interface, or on "all": a digit; "" if there is none.
func setting(name, what string) string {
	content, _ := os.ReadFile(filepath.Join("/proc/sys/net/ipv4/conf", filepath.Base(name), what))
	return strings.TrimSpace(string(content))
}
