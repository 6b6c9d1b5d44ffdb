python digest.py
python t.py
