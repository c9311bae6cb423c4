package gossip

import "fmt"

// version of the messages, and with it of the rules by which speakers elect holders.
type version byte

const (
	version1 version = 1
	version2 version = 2
	// version3 is encoded as version 2. Who understands it serves the clients of shared addresses by the tables of claims; a claim
	// says its table in version 2 as well, where others skip it.
	version3 version = 3
	// oldest and newest are the versions that this speaker understands.
	oldest, newest = version1, version3
	// stateVersion is the version that states are written in: from then on nothing but fields was added.
	stateVersion = version2
)

// VersionOfShares is the View.Version from which on several nodes may answer for an address.
const VersionOfShares = int(version3)

// versionRange are the versions that a speaker understands; zero: not known.
type versionRange struct{ min, max version }

// known reports whether it is known what a speaker understands.
func (v versionRange) known() bool { return v.max != 0 }

// foreign reports whether a speaker understands none of our versions.
func (v versionRange) foreign() bool { return v.known() && (v.min > newest || v.max < oldest) }

func (v versionRange) String() string { return fmt.Sprintf("%d to %d", v.min, v.max) }

// versionsOf returns what a speaker understands, from what memberlist tells of it: the extension of its NodeMeta, or else
// DMax, which is 0 in version 1.
func versionsOf(meta []byte, dMax uint8) versionRange {
	versions := versionRange{version1, max(version1, version(dMax))}
	if len(meta) <= metaLen {
		return versions
	}
	extension := versionRange{}
	r := &reader{rest: meta[metaLen:]}
	r.fields(func(tag uint64, value *reader) bool {
		switch tag {
		case 1:
			extension.min = version(value.byte())
		case 2:
			extension.max = version(value.byte())
		default:
			return false
		}
		return true
	})
	if r.failed || extension.min == 0 || extension.max < extension.min {
		return versions
	}
	return extension
}
