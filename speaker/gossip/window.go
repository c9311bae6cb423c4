package gossip

// windowSize is how many numbers a window remembers.
const windowSize = 64

// window is a set of the latest of numbers that rise.
type window struct {
	highest uint64
	// set has the numbers from highest downwards, the lowest bit first.
	set uint64
}

// add adds a number, and reports whether it is new: not in the set, and not so old that it may have been. This is the
// anti-replay window of RFC 4303, section 3.4.3.
func (w *window) add(number uint64) bool {
	if number > w.highest {
		w.set = w.set<<(number-w.highest) | 1
		w.highest = number
		return true
	}
	bit, remembered := w.bit(number)
	if !remembered || w.set&bit != 0 {
		return false
	}
	w.set |= bit
	return true
}

// remove removes a number, and reports whether it was in the set.
func (w *window) remove(number uint64) bool {
	bit, remembered := w.bit(number)
	was := remembered && w.set&bit != 0
	w.set &^= bit
	return was
}

func (w *window) bit(number uint64) (bit uint64, remembered bool) {
	if number > w.highest || w.highest-number >= windowSize {
		return 0, false
	}
	return 1 << (w.highest - number), true
}
