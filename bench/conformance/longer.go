package main

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"sync"
)

// Recorded cases hold a few runs of the original. Where it leaves much to chance,
// an outcome that it does produce can be missing from them; longer recordings of
// such cases are kept here, reduced to the outcome that matters: one file a
// case, with the number of runs and in how many of them it came.
//
//go:embed longer/*.json
var longerFiles embed.FS

// longerRecording is a variant that a longer recording of a case showed.
type longerRecording struct {
	Engine string `json:"engine"`
	Case   string `json:"case"`
	// Input is the SHA-256 of the case's input as compact JSON.
	Input string `json:"input"`
	// Runs of the original, and in how many the variants came.
	Runs  int `json:"runs"`
	Count int `json:"count"`
	// Variants are the values by section; an engine whose outcomes have no
	// sections has one, "outcome".
	Variants map[string]json.RawMessage `json:"variants"`
}

var longerRecordings = sync.OnceValues(func() (map[string]*longerRecording, error) {
	names, err := fs.Glob(longerFiles, "longer/*.json")
	if err != nil {
		return nil, err
	}
	recordings := make(map[string]*longerRecording, len(names))
	for _, name := range names {
		data, err := longerFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var r longerRecording
		if err := json.Unmarshal(data, &r); err != nil {
			return nil, fmt.Errorf("%s: %w", path.Base(name), err)
		}
		recordings[r.Engine+" "+r.Input] = &r
	}
	return recordings, nil
})

// longer returns what a longer recording of a case file showed, nil if there is none.
func longer(engine string, file []byte) (*longerRecording, error) {
	recordings, err := longerRecordings()
	if err != nil {
		return nil, err
	}
	var f struct {
		Input json.RawMessage `json:"input"`
	}
	if err := json.Unmarshal(file, &f); err != nil {
		return nil, err
	}
	var input bytes.Buffer
	if err := json.Compact(&input, f.Input); err != nil {
		return nil, nil // a bare case: nothing is recorded of it
	}
	sum := sha256.Sum256(input.Bytes())
	return recordings[engine+" "+hex.EncodeToString(sum[:])], nil
}
