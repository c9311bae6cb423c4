package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxObjectBytes are those of an object in a bundle. The API server takes 3 MiB, written without spaces.
const maxObjectBytes = 16 << 20

var errTooLarge = fmt.Errorf("an object in it has more than %d MiB", maxObjectBytes>>20)

// oneObject reads until an object has become too large.
type oneObject struct {
	io.Reader
	left int64
}

func (o *oneObject) Read(into []byte) (n int, err error) {
	if o.left <= 0 {
		return 0, errTooLarge
	}
	n, err = o.Reader.Read(into)
	o.left -= int64(n)
	return n, err
}

// readLists reads a file of a bundle, which has Lists in JSON, object by object: in memory is one of them as text, however large the file.
func (r *reader) readLists(in io.Reader) error {
	one := &oneObject{Reader: in}
	tokens := json.NewDecoder(one)
	for {
		one.left = maxObjectBytes
		switch begin, err := tokens.Token(); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case begin != json.Delim('{'):
			return ErrNoObject
		}
		switch err := r.readList(one, tokens); {
		case errors.Is(err, io.EOF): // amid a List
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
	}
}

// readList reads a List whose brace was read.
func (r *reader) readList(one *oneObject, tokens *json.Decoder) error {
	kind := ""
	for tokens.More() {
		one.left = maxObjectBytes
		name, err := tokens.Token()
		switch {
		case err != nil:
		case name == "items":
			err = r.readItems(one, tokens)
		case name == "kind":
			err = tokens.Decode(&kind)
		default:
			err = tokens.Decode(new(json.RawMessage))
		}
		if err != nil {
			return err
		}
	}
	if _, err := tokens.Token(); err != nil {
		return err
	}
	if !strings.HasSuffix(kind, "List") {
		return errors.New("it is no List")
	}
	return nil
}

// readItems of a List; null is none.
func (r *reader) readItems(one *oneObject, tokens *json.Decoder) error {
	if begin, err := tokens.Token(); err != nil || begin == nil {
		return err
	} else if begin != json.Delim('[') {
		return errors.New("its items are no list")
	}
	for tokens.More() {
		one.left = maxObjectBytes
		var item json.RawMessage
		if err := tokens.Decode(&item); err != nil {
			return err
		}
		if err := r.each(item, maxListDepth-1); err != nil {
			return err
		}
	}
	_, err := tokens.Token()
	return err
}
