"""Vietnamese as typed, made regular: Unicode repairs, syllables, Telex and VNI residue, everyday abbreviations."""
