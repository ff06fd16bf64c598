"""FLick: server monitoring with live one-second charts. This package is the shared floor that every part stands on."""
