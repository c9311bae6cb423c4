package view

// LastGood remembers the last version of each object that could be read, by name: an edit that breaks an object must not
// withdraw what runs because of it. The zero value remembers nothing. It is not safe for use by several goroutines.
type LastGood[V any] struct{ good map[string]V }

// Substitute is given all values that there are, and puts the last good version in the place of every one that cannot be read
// now; one that never could stays as it is. Objects that are gone are forgotten.
func (l *LastGood[V]) Substitute(values []V, check func(V) (name string, err error)) []V {
	recalled := make([]V, len(values))
	good := make(map[string]V, len(values))
	for i, value := range values {
		name, err := check(value)
		if before, ok := l.good[name]; err != nil && ok {
			value, err = before, nil
		}
		if err == nil {
			good[name] = value
		}
		recalled[i] = value
	}
	l.good = good
	return recalled
}
