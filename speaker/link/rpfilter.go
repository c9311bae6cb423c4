package link

import (
	"os"
	"path/filepath"
	"strings"
)

// StrictReversePath reports whether the kernel drops IPv4 packets that arrive on an interface when its route back leaves by
// another one (RFC 3704 section 2.2): the greater of the interface's rp_filter and that of all is 1.
func (w *Watcher) StrictReversePath(name string) bool {
	return max(reversePathFilter("all"), reversePathFilter(name)) == "1"
}

// reversePathFilter reads a setting: 0, 1 or 2; "" if there is none.
func reversePathFilter(name string) string {
	content, _ := os.ReadFile(filepath.Join("/proc/sys/net/ipv4/conf", filepath.Base(name), "rp_filter"))
	return strings.TrimSpace(string(content))
}
