package lb

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Remembered is a kind of which an earlier version counts while the object cannot be understood.
type Remembered[V any] interface {
	comparable
	// Check returns the name of the object, and what is wrong with it; nil when nothing is.
	Check() (name string, err error)
	// Version of the object that has these values.
	Version() int64
	// LastAccepted is what the controller accepted last; the zero value: nothing.
	LastAccepted() V
}

// InForce returns a value, or what the controller accepted last in the place of one that cannot be understood. That is the same to
// all programs and survives each of them. Before is what this process knows to have been good; the zero value: nothing. It
// counts when it is as new: the controller may not have seen it.
func InForce[V Remembered[V]](value, before V) V {
	var none V
	_, err := value.Check()
	if err == nil {
		return value
	}
	accepted := value.LastAccepted()
	if accepted != none {
		if _, err := accepted.Check(); err != nil {
			accepted = none // a later version of Daymark has accepted what this one does not know
		}
	}
	switch {
	case before != none && (accepted == none || before.Version() >= accepted.Version()):
		return before
	case accepted != none:
		return accepted
	default:
		return value
	}
}

// checkWord returns an error for a word that is none of those of a field. The schema of a later version of Daymark may have more.
func checkWord[W ~string](field string, word W, known ...W) error {
	if word == "" || slices.Contains(known, word) {
		return nil
	}
	return fmt.Errorf("%s: %s is none of %s", field, quote(string(word)), known)
}

// ofGeneration is the metadata of an object when it was of a generation.
func ofGeneration(meta metav1.ObjectMeta, generation int64) metav1.ObjectMeta {
	meta.Generation = generation
	return meta
}

// Version of the object that has these values.
func (a *Advertisement) Version() int64 { return a.Generation }

// LastAccepted is what the controller accepted last; nil: nothing.
func (a *L2Advertisement) LastAccepted() *L2Advertisement { return a.Accepted }

// LastAccepted is what the controller accepted last; nil: nothing.
func (a *BGPAdvertisement) LastAccepted() *BGPAdvertisement { return a.Accepted }

// Version of the object that has these values.
func (p *Peer) Version() int64 { return p.Generation }

// LastAccepted is what the controller accepted last; nil: nothing.
func (p *Peer) LastAccepted() *Peer { return p.Accepted }
