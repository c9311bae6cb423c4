package proxycheck

import (
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// Auto finds a proxy where kube-proxy has its health check by default.
const Auto = "auto"

// port is the default of kube-proxy's --healthz-bind-address.
const port = 10256

// Target is where to ask. The zero value is nowhere.
type Target struct {
	auto bool
	url  string
}

// ParseTarget reads a URL, Auto, or one of the words for nowhere: none, 0 and the empty text.
func ParseTarget(text string) (Target, error) {
	switch text {
	case Auto:
		return Target{auto: true}, nil
	case "", "0", "none":
		return Target{}, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" || u.Hostname() == "" || u.User != nil || !dialable(u.Port()) {
		return Target{}, fmt.Errorf("must be auto, none, or a URL such as http://127.0.0.1:%d/healthz, not %q", port, text)
	}
	return Target{url: text}, nil
}

// dialable reports whether a port of a URL is one, or none, which stands for 80.
func dialable(text string) bool {
	number, err := strconv.ParseUint(text, 10, 16)
	return text == "" || err == nil && number > 0
}

func (t Target) off() bool { return !t.auto && t.url == "" }

// urls are what to ask on a node with some addresses, in order.
func (t Target) urls(node []netip.Addr) []string {
	if !t.auto {
		return []string{t.url}
	}
	var urls []string
	for _, addr := range append([]netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}, node...) {
		urls = append(urls, fmt.Sprintf("http://%s/healthz", netip.AddrPortFrom(addr, port)))
	}
	return urls
}

// BootID identifies the present boot of the node; empty where the kernel does not tell.
func BootID() string {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
