// Package publicsource has one job: a socket that speaks to a router over IPv6 leaves from an address that stays, not from a temporary
// one (RFC 8981), which ends after a day and which the router does not know. BGP and BFD must do it alike, as a router expects both
// from one address. It refuses to choose the address: the kernel does.
package publicsource

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// preferPublic is IPV6_PREFER_SRC_PUBLIC (RFC 5014).
const preferPublic = 0x2

// Prefer is for an IPv6 socket that has no source address yet.
func Prefer(fd int) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_ADDR_PREFERENCES, preferPublic); err != nil {
		return fmt.Errorf("prefer a public source address: %w", err)
	}
	return nil
}
